/* The Releases page: what each tag names, since when, by whom, and whether the registry agrees. */

import {
  Ago,
  Copy,
  Digest,
  Fragment,
  Inside,
  Loading,
  Nothing,
  Outside,
  Problem,
  h,
  memo,
  register,
  runPath,
  short,
  taskPath,
  useCallback,
  useDeferredValue,
  useEffect,
  useGrowing,
  useLive,
  useMemo,
  useNow,
  useRef,
  useSeen,
  useState,
} from "./kit.js";
import { By, History, Timeline, consoleAddress, nameOf } from "./history.js";
import { Chips, Deploys, RunCard, isOver } from "./runs.js";

/* Seconds between two looks. */
const paceOfReleases = (data) => (data?.runs.some((run) => !isSettled(run)) ? 2 : 4);
const paceOfRun = () => 4;
const paceOfRegistry = () => 30;

const isSettled = (run) => isOver(run.state) && run.followers.every((each) => isOver(each.state));

function Releases() {
  const [pages, setPages] = useState(1);
  const [view, setView] = useState("tags");
  const [filter, setFilter] = useState("");
  const { data, problem, at } = useLive("releases", { pages }, paceOfReleases);
  const now = useNow(10);
  const words = useDeferredValue(filter).toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = (each) => words.every((word) => textOf(each).includes(word));
  return h(
    "main",
    { className: "ecr" },
    h(Head, { view, setView, filter, setFilter, data, at, now, stale: problem !== null }),
    problem && h(Problem, null, problem, data && " What is shown here is from before."),
    !data && !problem && h(Loading),
    data && h(Runs, { runs: data.runs, now }),
    data && view === "tags" && h(Tags, { data, states: data.tags.filter(wanted), now, filtered: words.length > 0 }),
    data && view === "history" && h(History, { releases: data.releases.filter(wanted), now, consoles: data.consoles }),
    data &&
      !data.is_complete &&
      h(
        "p",
        { className: "ecr-more" },
        "There are older releases. ",
        h("button", { type: "button", onClick: () => setPages(pages + 1) }, "Read them, too"),
      ),
  );
}

const texts = new WeakMap();

/* What a release can be found by. */
function textOf(release) {
  if (!texts.has(release)) {
    const { registry, repository_name, image_tag, image_digest, outcome, task, user, run_type } = release;
    const parts = [`${registry}/${repository_name}:${image_tag}`, image_digest, outcome, user, run_type];
    texts.set(release, [...parts, task?.dag_id, task?.run_id, task?.task_id].join(" ").toLowerCase());
  }
  return texts.get(release);
}

function Head({ view, setView, filter, setFilter, data, at, now, stale }) {
  const input = useRef(null);
  useEffect(() => {
    const focus = (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName) || event.target.isContentEditable;
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      input.current?.focus();
    };
    document.addEventListener("keydown", focus);
    return () => document.removeEventListener("keydown", focus);
  }, []);
  const tab = (name, label, count) =>
    h(
      "button",
      { type: "button", role: "tab", "aria-selected": view === name, onClick: () => setView(name) },
      label,
      count !== undefined && h("span", { className: "ecr-count" }, count),
    );
  return h(
    "header",
    { className: "ecr-head" },
    h("h1", null, "Releases"),
    h(
      "div",
      { role: "tablist", "aria-label": "View", className: "ecr-tabs" },
      tab("tags", "Tags", data?.tags.length),
      tab("history", "History", data?.releases.length),
    ),
    h("input", {
      ref: input,
      type: "search",
      value: filter,
      placeholder: "Filter: repository, tag, digest, DAG, user   /",
      "aria-label": "Filter by repository, tag, digest, DAG or user",
      onChange: (event) => setFilter(event.target.value),
      onKeyDown: (event) => event.key === "Escape" && setFilter(""),
    }),
    h(
      "span",
      { className: "ecr-muted ecr-live", role: "status" },
      at && h("span", { className: stale ? "ecr-dot ecr-failed" : "ecr-dot ecr-success", "aria-hidden": true }),
      at && (stale ? "as of " : "live, "),
      at && h(Ago, { at: new Date(at).toISOString(), now: Math.max(now, at) }),
    ),
  );
}

function Runs({ runs, now }) {
  if (!runs.length) return null;
  return h(
    "section",
    { "aria-label": "On their way, and failed lately" },
    h("h2", null, "On their way, and failed in the last day"),
    h("ul", { className: "ecr-runs" }, ...runs.map((run) => h(RunCard, { key: `${run.dag_id} ${run.run_id}`, run, now }))),
  );
}

/* --- Tags --- */

const COLUMNS = ["Image", "Now", "Since", "Released by", "Before", "Gates", "Deployed", "Registry"];

function Tags({ data, states, now, filtered }) {
  const [open, setOpen] = useState(null);
  const toggle = useCallback((key) => setOpen((before) => (before === key ? null : key)), []);
  const shown = useGrowing(states);
  if (!states.length && filtered) return h(Nothing, { title: "No tag matches" }, "Esc clears the filter.");
  if (!states.length) {
    return h(
      Nothing,
      { title: "Nothing was released yet" },
      "As soon as a task with EcrPutImageOperator or EcrCopyImageOperator puts an image under a tag, it is here.",
    );
  }
  return h(
    "div",
    { role: "table", "aria-label": "Tags", "aria-rowcount": states.length + 1, className: "ecr-table", onKeyDown: byArrows },
    h(
      "div",
      { role: "row", className: "ecr-row ecr-header" },
      ...COLUMNS.map((name) => h("span", { key: name, role: "columnheader" }, name)),
    ),
    ...shown.map((state) => {
      const key = nameOf(state);
      const isOpen = open === key;
      return h(TagRow, {
        key,
        state,
        now,
        toggle,
        isOpen,
        readsRegistry: data.reads_registry,
        consoleOf: data.consoles[state.registry],
        releases: isOpen ? data.releases : null,
      });
    }),
  );
}

/* Up and down go from row to row. */
function byArrows(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || event.target.tagName === "INPUT") return;
  const buttons = [...event.currentTarget.querySelectorAll(".ecr-open")];
  const next = buttons[buttons.indexOf(document.activeElement) + step];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

const TagRow = memo(function TagRow({ state, now, toggle, isOpen, readsRegistry, consoleOf, releases }) {
  const [row, seen] = useSeen();
  const [run, watchRun] = useRun(state.task, seen);
  const { registry, repository_name } = state;
  const stand = useLive("registry", { registry, repository_name }, paceOfRegistry, seen && readsRegistry);
  return h(
    Fragment,
    null,
    h(
      "div",
      { role: "row", className: "ecr-row", ref: row, "data-name": nameOf(state) },
      h(
        "span",
        { role: "cell" },
        h(
          "button",
          { type: "button", className: "ecr-open", "aria-expanded": isOpen, onClick: () => toggle(nameOf(state)) },
          h("span", { className: "ecr-arrow", "aria-hidden": true }, "▸"),
          h("strong", null, `${repository_name}:${state.image_tag}`),
        ),
        h("small", { className: "ecr-muted" }, registry),
      ),
      h("span", { role: "cell" }, h(Digest, { digest: state.image_digest }), h(Platforms, { stand, state })),
      h("span", { role: "cell" }, h(Ago, { at: state.since, now })),
      h("span", { role: "cell" }, h(By, { release: state })),
      h("span", { role: "cell" }, h(Digest, { digest: state.previous_image_digest, copy: false })),
      h("span", { role: "cell" }, run && h(Chips, { run, role: "gate" })),
      h("span", { role: "cell" }, run && h(Deploys, { run })),
      h("span", { role: "cell" }, readsRegistry ? h(Agreement, { stand, state }) : "not asked"),
    ),
    isOpen && h(Details, { state, now, run, consoleOf, stand, releases }),
  );
});

/* A run is read until nothing is on its way any more: deploys may start a while after the release. */
function useRun(task, seen) {
  const [settled, setSettled] = useState(false);
  const { data } = useLive(
    "run",
    task ? { dag_id: task.dag_id, run_id: task.run_id } : {},
    paceOfRun,
    Boolean(task) && seen && !settled,
  );
  useEffect(() => {
    if (!data) return;
    const long = data.ended_at && Date.now() - new Date(data.ended_at) > 120_000;
    if (long && isSettled(data)) setSettled(true);
  }, [data]);
  useEffect(() => setSettled(false), [task?.dag_id, task?.run_id]);
  return [data];
}

function Platforms({ stand, state }) {
  const platforms = stand.data?.platforms?.[state.image_digest];
  return platforms ? h("small", { className: "ecr-muted" }, platforms.join(", ")) : null;
}

/* Whether the registry says what Airflow knows. */
function agreementOf(stand, state) {
  const problem = stand.data?.problem ?? stand.problem;
  if (problem) return ["unknown", "cannot tell", problem];
  if (!stand.data) return ["asking", "asking …", "Amazon ECR is being asked"];
  const now = stand.data.tags[state.image_tag];
  if (!now) return ["asking", "asking …", "The tag is new"];
  if (!now.digest) return ["drift", "tag is gone", "Amazon ECR has no such tag any more"];
  if (now.digest !== state.image_digest) {
    return ["drift", `now ${short(now.digest)}`, `Amazon ECR has ${now.digest}, which no task known here put`];
  }
  if (now.status !== "ACTIVE") return ["drift", now.status.toLowerCase(), "The image cannot be pulled"];
  return ["agrees", "agrees", "Amazon ECR has this image under this tag"];
}

function Agreement({ stand, state }) {
  const [kind, says, why] = agreementOf(stand, state);
  const sign = { agrees: "✓", drift: "≠", unknown: "?", asking: "" }[kind];
  return h(
    "span",
    { className: `ecr-agreement ecr-${kind}`, title: why },
    h("span", { "aria-hidden": true }, sign),
    ` ${says}`,
  );
}

function Details({ state, now, run, consoleOf, stand, releases }) {
  const [, , why] = agreementOf(stand, state);
  const uri = `${state.registry}/${state.repository_name}@${state.image_digest}`;
  const own = useMemo(() => releases.filter((each) => nameOf(each) === nameOf(state)), [releases, state]);
  return h(
    "div",
    { role: "row", className: "ecr-details" },
    h(
      "div",
      { role: "cell" },
      h(
        "dl",
        null,
        h("dt", null, "Image"),
        h("dd", null, h("code", null, uri), h(Copy, { text: uri, label: "the image reference" })),
        h("dt", null, "Registry"),
        h("dd", null, why),
        state.task && h("dt", null, "Run"),
        state.task && h("dd", null, h(Inside, { to: runPath(state.task) }, state.task.run_id)),
        state.task && h("dt", null, "Task"),
        state.task && h("dd", null, h(Inside, { to: taskPath(state.task) }, state.task.task_id)),
        consoleOf && h("dt", null, "AWS console"),
        consoleOf && h("dd", null, h(Outside, { href: consoleAddress(consoleOf, state) }, "image details")),
      ),
      run && h("ul", { className: "ecr-runs" }, h(RunCard, { run, now })),
      h("h3", null, "History of this tag"),
      h(Timeline, { releases: own, now }),
    ),
  );
}

register("Releases", Releases);
