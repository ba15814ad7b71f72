/* What both pages share: React of the host, requests, links, digests, times.
 *
 * Airflow hands its own React, and its router, to the pages of plugins: nothing is bundled, nothing is built.
 */

const React = globalThis.React;
export const { createElement: h, Fragment, memo, useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } =
  React;

/* This file is at ecr/static/<content>/kit.js; the JSON is beside it, at ecr/api/. */
const ROOT = new URL("../../", import.meta.url);

/* Tell Airflow which component a page is: 3.1 looks under the second name only. */
export function register(name, component) {
  globalThis[name] = component;
  globalThis.AirflowPlugin = component;
  const href = new URL("style.css", import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`)) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href }));
  }
}

/* --- Requests --- */

const answers = new Map(); // by address: { etag, data }
const waiting = [];
let running = 0;
const AT_ONCE = 4;
const FIRST = 60;

/* Get JSON; the same object as before if nothing has changed, so that nothing is drawn again. */
async function get(path, parameters) {
  const url = new URL(`api/${path}`, ROOT);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const known = answers.get(url.href);
  const headers = known?.etag ? { "If-None-Match": known.etag } : {};
  const response = await inTurn(() => fetch(url, { headers, credentials: "same-origin", cache: "no-store" }));
  if (response.status === 304) return known.data;
  if (!response.ok) throw new Error(await problemOf(response));
  const data = await response.json();
  answers.set(url.href, { etag: response.headers.get("ETag"), data });
  return data;
}

async function inTurn(request) {
  if (running >= AT_ONCE) await new Promise((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await request();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

async function problemOf(response) {
  if (response.status === 401) return "You are signed out. Reload the page to sign in.";
  if (response.status === 403) return "You may not read this: it takes access to DAG runs, task instances and XComs.";
  const detail = await response.json().then((body) => body.detail, () => null);
  return typeof detail === "string" ? detail : `The API server answered ${response.status}.`;
}

/* One answer that is asked for again and again, for all who look at it. */
class Source {
  constructor(path, parameters) {
    this.request = [path, parameters];
    this.state = { data: null, problem: null, at: null };
    this.watchers = new Map(); // what to call: after how many seconds to ask again, by what is known
    this.timer = null;
  }

  get pace() {
    return Math.min(...[...this.watchers.values()].map((seconds) => seconds(this.state.data))) * 1000;
  }

  watch(changed, seconds) {
    this.watchers.set(changed, seconds);
    if (this.watchers.size === 1) this.start();
    return () => {
      this.watchers.delete(changed);
      if (!this.watchers.size) this.stop();
    };
  }

  start() {
    this.seen = () => this.ask();
    document.addEventListener("visibilitychange", this.seen);
    this.ask();
  }

  stop() {
    document.removeEventListener("visibilitychange", this.seen);
    clearTimeout(this.timer);
  }

  async ask() {
    clearTimeout(this.timer);
    const fresh = this.state.at && Date.now() - this.state.at < this.pace / 2;
    if (document.visibilityState === "visible" && !fresh) {
      try {
        this.tell({ data: await get(...this.request), problem: null, at: Date.now() });
      } catch (error) {
        this.tell({ ...this.state, problem: error.message });
      }
    }
    clearTimeout(this.timer);
    if (this.watchers.size) this.timer = setTimeout(() => this.ask(), this.pace);
  }

  tell(state) {
    this.state = state;
    for (const changed of [...this.watchers.keys()]) changed();
  }
}

const sources = new Map();
const SILENT = { data: null, problem: null, at: null };

/* Ask again and again while somebody looks: { data, problem, at }.
 *
 * seconds: after how long to ask again, by what is known; the same function each time.
 */
export function useLive(path, parameters, seconds, active = true) {
  const key = JSON.stringify([path, parameters]);
  if (active && !sources.has(key)) sources.set(key, new Source(path, parameters));
  const source = active ? sources.get(key) : null;
  const watch = useCallback((changed) => (source ? source.watch(changed, seconds) : () => {}), [source, seconds]);
  return useSyncExternalStore(watch, () => source?.state ?? SILENT);
}

/* The items of a long list, more and more of them, so that the browser never stands still. */
export function useGrowing(items) {
  const [count, setCount] = useState(FIRST);
  useEffect(() => {
    if (count >= items.length) return undefined;
    const timer = setTimeout(() => setCount(count + FIRST), 0);
    return () => clearTimeout(timer);
  }, [count, items.length]);
  return items.slice(0, count);
}

/* Whether an element has been on the screen. */
export function useSeen() {
  const [element, setElement] = useState(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    if (!element || seen) return undefined;
    const observer = new IntersectionObserver((entries) => entries.some((each) => each.isIntersecting) && setSeen(true));
    observer.observe(element);
    return () => observer.disconnect();
  }, [element, seen]);
  return [setElement, seen];
}

/* The time now, as of some seconds ago at the most. */
export function useNow(seconds) {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), seconds * 1000);
    return () => clearInterval(timer);
  }, [seconds]);
  return now;
}

/* --- Links --- */

export function runPath(run) {
  return `/dags/${encodeURIComponent(run.dag_id)}/runs/${encodeURIComponent(run.run_id)}`;
}

export function taskPath(task) {
  const mapped = task.map_index >= 0 ? `/mapped/${task.map_index}` : "";
  return `${runPath(task)}/tasks/${encodeURIComponent(task.task_id)}${mapped}`;
}

/* A link within Airflow, by its own router. */
export function Inside({ to, children, ...rest }) {
  const Link = globalThis.ReactRouterDOM?.Link;
  if (Link) return h(Link, { to, ...rest }, children);
  return h("a", { href: new URL(to.slice(1), document.baseURI).href, ...rest }, children);
}

export function Outside({ href, children, ...rest }) {
  return h("a", { href, target: "_blank", rel: "noreferrer", ...rest }, children, h("span", { "aria-hidden": true }, " ↗"));
}

/* --- Digests, times, sizes --- */

const COPY = "M6 2h7v9h-2v3H4V5h2V2Zm1 1v2h4v5h1V3H7ZM5 6v7h5V6H5Z";

export function Copy({ text, label }) {
  const [copied, setCopied] = useState(false);
  const copy = async (event) => {
    event.stopPropagation();
    await navigator.clipboard.writeText(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return h(
    "button",
    { type: "button", className: "ecr-copy", onClick: copy, title: `Copy ${label}`, "aria-label": `Copy ${label}` },
    copied ? "✓" : h("svg", { viewBox: "0 0 16 16", "aria-hidden": true }, h("path", { d: COPY })),
  );
}

export function short(digest) {
  const [algorithm, hex] = digest.split(":");
  return `${algorithm}:${hex.slice(0, 12)}`;
}

export function Digest({ digest, copy = true }) {
  if (!digest) return h("span", { className: "ecr-muted" }, "–");
  return h(
    "span",
    { className: "ecr-digest" },
    h("code", { title: digest }, short(digest)),
    copy && h(Copy, { text: digest, label: "the digest" }),
  );
}

const STEPS = [
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "long" });

export function ago(at, now) {
  const seconds = (new Date(at).getTime() - now) / 1000;
  for (const [unit, length] of STEPS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit);
  }
  return Math.abs(seconds) < 10 ? "just now" : RELATIVE.format(Math.trunc(seconds), "second");
}

export function Ago({ at, now }) {
  const time = new Date(at);
  return h("time", { dateTime: at, title: time.toLocaleString() }, ago(at, now));
}

export function size(bytes) {
  if (bytes === null || bytes === undefined) return "";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/* --- What there is instead of content --- */

export function Problem({ children }) {
  return h("p", { className: "ecr-problem", role: "alert" }, children);
}

export function Nothing({ title, children }) {
  return h("div", { className: "ecr-nothing" }, h("h2", null, title), h("p", null, children));
}

export function Loading() {
  return h("p", { className: "ecr-muted ecr-loading", role: "status" }, "Reading what Airflow knows …");
}
