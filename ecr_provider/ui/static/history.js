/* What became of tags, one after the other: of all, and of one. */

import {
  Ago,
  Digest,
  Fragment,
  Inside,
  Nothing,
  Outside,
  h,
  memo,
  short,
  taskPath,
  useGrowing,
  useState,
} from "./kit.js";

export const nameOf = (release) => `${release.registry}/${release.repository_name}:${release.image_tag}`;

export function consoleAddress(template, release) {
  return template
    .replace("{repository_name}", release.repository_name)
    .replace("{image_digest}", release.image_digest);
}

export function By({ release }) {
  const { task, user, run_type } = release;
  if (!task) return h("span", { title: "A watcher saw it" }, "outside of Airflow");
  return h(
    Fragment,
    null,
    h(Inside, { to: taskPath(task), title: `${task.task_id} of ${task.run_id}` }, task.dag_id),
    h("small", { className: "ecr-muted" }, user ?? run_type),
  );
}

export function Timeline({ releases, now }) {
  const [all, setAll] = useState(false);
  const shown = all ? releases : releases.filter((each) => each.outcome !== "unchanged");
  const hidden = releases.length - releases.filter((each) => each.outcome !== "unchanged").length;
  return h(
    Fragment,
    null,
    hidden > 0 &&
      h(
        "label",
        { className: "ecr-muted" },
        h("input", { type: "checkbox", checked: all, onChange: (event) => setAll(event.target.checked) }),
        ` also the ${hidden} that changed nothing`,
      ),
    h(
      "ol",
      { className: "ecr-timeline", tabIndex: 0, "aria-label": "History of this tag" },
      ...shown.map((each) =>
        h(
          "li",
          { key: keyOf(each) },
          h(Ago, { at: each.at, now }),
          h("span", { className: `ecr-outcome ecr-${each.outcome}` }, each.outcome),
          h(Digest, { digest: each.image_digest }),
          h("span", { className: "ecr-muted" }, each.previous_image_digest && `from ${short(each.previous_image_digest)}`),
          h("span", null, h(By, { release: each })),
        ),
      ),
    ),
  );
}

const keyOf = ({ at, task, image_tag, image_digest, repository_name }) =>
  [at, task?.dag_id, task?.run_id, task?.task_id, task?.map_index, repository_name, image_tag, image_digest].join(" ");

export function History({ releases, now, consoles }) {
  const [all, setAll] = useState(false);
  const wanted = all ? releases : releases.filter((each) => each.outcome !== "unchanged");
  const shown = useGrowing(wanted);
  return h(
    Fragment,
    null,
    h(
      "label",
      { className: "ecr-muted ecr-option" },
      h("input", { type: "checkbox", checked: all, onChange: (event) => setAll(event.target.checked) }),
      " also what changed nothing",
    ),
    wanted.length === 0 && h(Nothing, { title: "No release matches" }, "Change the filter, or show what changed nothing."),
    h(
      "div",
      { role: "table", "aria-label": "History", "aria-rowcount": wanted.length + 1, className: "ecr-table ecr-history" },
      h(
        "div",
        { role: "row", className: "ecr-row ecr-header" },
        ...["When", "Image", "Outcome", "From", "To", "Released by", ""].map((name) =>
          h("span", { key: name, role: "columnheader" }, name),
        ),
      ),
      ...shown.map((each) => h(HistoryRow, { key: keyOf(each), release: each, now, consoleOf: consoles[each.registry] })),
    ),
  );
}

const HistoryRow = memo(function HistoryRow({ release, now, consoleOf }) {
  const name = release.image_tag ? `${release.repository_name}:${release.image_tag}` : release.repository_name;
  return h(
    "div",
    { role: "row", className: "ecr-row" },
    h("span", { role: "cell" }, h(Ago, { at: release.at, now })),
    h("span", { role: "cell", title: release.registry }, h("strong", null, name)),
    h("span", { role: "cell" }, h("span", { className: `ecr-outcome ecr-${release.outcome}` }, release.outcome)),
    h("span", { role: "cell" }, h(Digest, { digest: release.previous_image_digest, copy: false })),
    h("span", { role: "cell" }, h(Digest, { digest: release.image_digest })),
    h("span", { role: "cell" }, h(By, { release })),
    h("span", { role: "cell" }, consoleOf && h(Outside, { href: consoleAddress(consoleOf, release) }, "AWS")),
  );
});
