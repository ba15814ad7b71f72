/* The Image tab of a task: what the image that it found or put is made of. */

import { Copy, Digest, Fragment, Loading, Nothing, Outside, Problem, h, register, short, size, useLive } from "./kit.js";

/* Seconds between two looks: a task that runs has no image yet. */
const pace = (data) => (data?.image ? 60 : 5);

function ImageTab({ dagId, runId, taskId, mapIndex }) {
  const parameters = { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex ?? -1 };
  const { data, problem } = useLive("image", parameters, pace);
  return h(
    "section",
    { className: "ecr ecr-image", "aria-label": "Image" },
    problem && h(Problem, null, problem),
    !data && !problem && h(Loading),
    data && !data.image && h(NoImage),
    data?.image && h(Summary, data),
    data?.problem && h(Problem, null, `What the image is made of is not known: ${data.problem}`),
    data?.manifest && h(Manifest, { node: data.manifest, level: 0 }),
  );
}

function NoImage() {
  return h(
    Nothing,
    { title: "No image" },
    "This task has not reported an image of Amazon ECR: it is not one of those that do, or it has not got that far.",
  );
}

function Summary({ image, console, manifest }) {
  const { imageUri, imageDigest, imageTag, repositoryName, outcome, previousImageDigest } = image;
  const address = console
    ?.replace("{repository_name}", repositoryName)
    .replace("{image_digest}", imageDigest);
  const facts = [
    ["Image", h(Fragment, null, h("code", null, imageUri), h(Copy, { text: imageUri, label: "the image reference" }))],
    ["Digest", h(Fragment, null, h("code", null, imageDigest), h(Copy, { text: imageDigest, label: "the digest" }))],
    ["Tag", imageTag && `${repositoryName}:${imageTag}`],
    ["Outcome", outcome],
    ["Before", previousImageDigest && h(Digest, { digest: previousImageDigest })],
    ["Platforms", manifest && platformsOf(manifest).join(", ")],
    ["AWS console", address && h(Outside, { href: address }, "image details")],
  ];
  return h(
    "dl",
    null,
    ...facts.filter(([, value]) => value).flatMap(([name, value]) => [h("dt", { key: name }, name), h("dd", null, value)]),
  );
}

function platformsOf(node) {
  const nodes = node.manifests.length ? node.manifests : [node];
  return nodes.map((each) => each.platform).filter((platform) => platform && platform !== "unknown/unknown");
}

function Manifest({ node, level }) {
  const total = node.layers.reduce((sum, layer) => sum + layer.size, 0);
  return h(
    "details",
    { open: level === 0 || node.platform !== "unknown/unknown", className: "ecr-manifest" },
    h(
      "summary",
      null,
      h("strong", null, titleOf(node)),
      h(Digest, { digest: node.digest }),
      h("span", { className: "ecr-muted" }, [node.media_type, total ? size(total) : null].filter(Boolean).join(" · ")),
    ),
    node.problem && h(Problem, null, node.problem),
    node.created && h("p", { className: "ecr-muted" }, `Built ${new Date(node.created).toLocaleString()}`),
    h(Pairs, { title: "Annotations", pairs: node.annotations }),
    h(Pairs, { title: "Labels", pairs: node.labels }),
    node.layers.length > 0 && h(Layers, { layers: node.layers, total }),
    node.referrers?.length > 0 && h(Referrers, { referrers: node.referrers }),
    ...node.manifests.map((each) => h(Manifest, { key: each.digest, node: each, level: level + 1 })),
  );
}

function titleOf(node) {
  if (node.manifests.length) return `Index of ${node.manifests.length} manifests`;
  if (node.artifact_type) return node.artifact_type;
  if (node.platform === "unknown/unknown") return "Attestation";
  return node.platform ?? "Image";
}

function Pairs({ title, pairs }) {
  const entries = Object.entries(pairs);
  if (!entries.length) return null;
  return h(
    Fragment,
    null,
    h("h4", null, title),
    h("dl", null, ...entries.flatMap(([name, value]) => [h("dt", { key: name }, name), h("dd", null, value)])),
  );
}

function Layers({ layers, total }) {
  return h(
    Fragment,
    null,
    h("h4", null, layers.length === 1 ? "1 layer" : `${layers.length} layers`),
    h(
      "ol",
      { className: "ecr-layers" },
      ...layers.map((layer, number) =>
        h(
          "li",
          { key: number, title: layer.media_type },
          h("code", { title: layer.digest }, short(layer.digest)),
          h("span", { className: "ecr-bar", "aria-hidden": true, style: { "--part": total ? layer.size / total : 0 } }),
          h("span", null, size(layer.size)),
        ),
      ),
    ),
  );
}

function Referrers({ referrers }) {
  return h(
    Fragment,
    null,
    h("h4", null, "Signatures, SBOMs and the like"),
    h(
      "ul",
      { className: "ecr-layers" },
      ...referrers.map((each) =>
        h(
          "li",
          { key: each.digest },
          h("span", null, each.artifact_type ?? each.media_type),
          h("code", { title: each.digest }, short(each.digest)),
        ),
      ),
    ),
  );
}

register("ECR image", ImageTab);
