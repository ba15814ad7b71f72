/* DAG runs, drawn as the way of a release: gates, the release, deploys. */

import { Ago, Fragment, h, Inside, runPath, taskPath } from "./kit.js";

const SIGNS = {
  success: "✓",
  failed: "✕",
  upstream_failed: "⊘",
  skipped: "↷",
  running: "●",
  restarting: "●",
  deferred: "◔",
  awaiting_input: "?",
  up_for_retry: "↻",
  up_for_reschedule: "◔",
  queued: "…",
  scheduled: "…",
};
const WORDS = {
  success: "done",
  failed: "failed",
  upstream_failed: "not run: something before it failed",
  skipped: "skipped",
  deferred: "waiting",
  up_for_reschedule: "waiting",
  awaiting_input: "waiting for somebody's answer",
  up_for_retry: "to be tried again",
};

export const isOver = (state) => ["success", "failed", "skipped", "upstream_failed", "removed"].includes(state);

/* One task of a run, as a chip that leads to it. */
export function Chip({ run, step }) {
  const state = step.state ?? "none";
  const word = WORDS[state] ?? state.replaceAll("_", " ");
  const count = step.count > 1 ? ` ${step.done}/${step.count}` : "";
  const says = step.says ? `: ${step.says}` : "";
  return h(
    Inside,
    {
      to: taskPath({ ...run, task_id: step.task_id, map_index: -1 }),
      className: `ecr-chip ecr-${state}`,
      title: `${step.task_id} is ${word}${says}`,
    },
    h("span", { className: "ecr-sign", "aria-hidden": true }, SIGNS[state] ?? "○"),
    `\u00a0${step.task_id}${count}`,
    h("span", { className: "ecr-hidden" }, ` is ${word}`),
    step.says && h("span", { className: "ecr-says" }, ` ${step.says}`),
  );
}

export function Chips({ run, role }) {
  const steps = run.steps.filter((step) => step.role === role);
  return h(Fragment, null, ...steps.map((step) => h(Chip, { key: step.task_id, run, step })));
}

/* The deploys of a run: its own tasks after the release, and the runs that the release started. */
export function Deploys({ run }) {
  return h(
    Fragment,
    null,
    h(Chips, { run, role: "deploy" }),
    ...run.followers.map((each) =>
      h(Chip, {
        key: each.run_id,
        run: each,
        step: { ...each, task_id: each.dag_id, says: null, count: 1, done: 0 },
      }),
    ),
  );
}

/* A run from its first task to its last, and on through the runs that it started. */
export function RunCard({ run, now }) {
  const by = run.user ? `, by ${run.user}` : "";
  return h(
    "li",
    { className: "ecr-run" },
    h(
      "div",
      { className: "ecr-run-head" },
      h("strong", null, h(Inside, { to: runPath(run) }, run.dag_id)),
      h("span", { className: `ecr-state ecr-${run.state}` }, run.state),
      h(
        "span",
        { className: "ecr-muted" },
        run.images.length > 0 && `${run.images.join(", ")} · `,
        `${run.run_type}${by} · `,
        run.started_at ? h(Ago, { at: run.ended_at ?? run.started_at, now }) : "not started",
      ),
    ),
    h(Way, { run }),
    ...run.followers.map((each) =>
      h(
        "div",
        { key: each.run_id, className: "ecr-follower" },
        h(Inside, { to: runPath(each), className: "ecr-muted" }, `→ ${each.dag_id}`),
        h(Way, { run: each }),
      ),
    ),
  );
}

function Way({ run }) {
  return h(
    "div",
    { className: "ecr-way" },
    ...run.steps.map((step) =>
      h("span", { key: step.task_id, className: `ecr-step ecr-role-${step.role}` }, h(Chip, { run, step })),
    ),
  );
}
