// The frame of the page: masthead, the view of the present route, colophon.
import { useEffect, useRef } from "preact/hooks";
import { Sign } from "./parts/icon";
import { SchemeButton } from "./parts/scheme";
import { route, type Route } from "./router";
import { keepsNothing } from "./state/db";
import { active, jobs } from "./state/jobs";
import { trouble } from "./state/watch";
import { JobView } from "./views/job/job";
import { JobsView } from "./views/jobs/jobs";
import { NewView } from "./views/new/new";

function title(now: Route): string {
  switch (now.view) {
    case "new":
      return "Annotate";
    case "jobs":
      return "Jobs";
    case "job":
      return jobs.value.get(now.id)?.name ?? "Job";
    case "unknown":
      return "Not found";
  }
}

export function App() {
  const now = route.value;
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  const place = now.view === "job" ? now.id : now.view;
  useEffect(() => {
    // A change of the view is a new page for a screen reader, and for the keyboard.
    if (!first.current) {
      main.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first.current = false;
  }, [place]);
  const name = title(now);
  useEffect(() => {
    document.title = `${name} · Bakta Web`;
  }, [name]);
  return (
    <div class="frame">
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), main.current?.focus())}>
        Skip to the content
      </a>
      <header class="masthead">
        <div class="width">
          <a class="brand" href="#/">
            <Sign />
            Bakta Web
          </a>
          <nav aria-label="Views">
            <a href="#/" aria-current={now.view === "new" ? "page" : undefined}>
              Annotate
            </a>
            <a href="#/jobs" aria-current={now.view === "jobs" || now.view === "job" ? "page" : undefined}>
              Jobs
              {active.value > 0 && (
                <span class="count">
                  {active.value}
                  <span class="hidden"> active</span>
                </span>
              )}
            </a>
          </nav>
          <div class="aside">
            <SchemeButton />
          </div>
        </div>
      </header>
      <main class="width" id="main" tabIndex={-1} ref={main}>
        {trouble.value !== "" && (
          <p class="note warn" role="status">
            {trouble.value}
          </p>
        )}
        {keepsNothing.value && (
          <p class="note warn" role="status">
            This browser keeps nothing now. Its disk may be full. <a href="#/jobs">Save the list of jobs</a> before you leave the page.
          </p>
        )}
        <View now={now} />
      </main>
      <footer class="colophon">
        <div class="width">
          <span>
            Annotation by <a href="https://github.com/oschwengers/bakta">Bakta</a>
          </span>
          <a href="/api-docs/">API</a>
          <a href="/licences.txt">Licences</a>
        </div>
      </footer>
    </div>
  );
}

function View({ now }: { now: Route }) {
  switch (now.view) {
    case "new":
      return <NewView />;
    case "jobs":
      return <JobsView />;
    case "job":
      return <JobView key={now.id} id={now.id} secret={now.secret} part={now.part} />;
    case "unknown":
      return (
        <div class="stack">
          <h1>There is no such page</h1>
          <p>
            Go to <a href="#/">a new annotation</a> or to <a href="#/jobs">your jobs</a>.
          </p>
        </div>
      );
  }
}
