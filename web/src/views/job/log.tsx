// The logs of a job's stages. While it runs, they grow.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { logs as fetchLogs, ServerError } from "../../api/client";
import type { StageLog, StageStatus } from "../../api/types";
import { Icon, type IconName } from "../../parts/icon";
import { stageTitle } from "../../parts/words";
import type { KeptJob } from "../../state/db";
import { ref } from "../../state/jobs";
import { isTemporary, wordsOf, wordsOfRetry } from "../../state/patience";

const icons: Record<StageStatus, { icon: IconName; text: string; look: string }> = {
  pending: { icon: "circle", text: "Pending", look: "waiting" },
  running: { icon: "spin", text: "Running", look: "running" },
  succeeded: { icon: "check", text: "Succeeded", look: "successful" },
  failed: { icon: "alert", text: "Failed", look: "error" },
  error: { icon: "alert", text: "Failed", look: "error" },
  unknown: { icon: "circle", text: "Unknown", look: "waiting" },
};

const fastest = 2_000;
const slowest = 15_000;

export function Logs({ job, live }: { job: KeptJob; live: boolean }) {
  const stages = useSignal<StageLog[]>([]);
  const problem = useSignal("");
  const chosen = useSignal("");

  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    let wait = fastest;
    let before = "";
    const look = async () => {
      let after = 0;
      let isAgain = live;
      if (!document.hidden || before === "") {
        try {
          stages.value = (await fetchLogs(ref(job), stop.signal)).stages;
          problem.value = "";
        } catch (error) {
          if (stop.signal.aborted) return;
          isAgain ||= isTemporary(error);
          problem.value = isAgain ? wordsOfRetry(error) : wordsOf(error);
          if (error instanceof ServerError) after = error.retryAfter * 1_000;
        }
        const size = stages.value.map((s) => `${s.status} ${s.content.length}`).join();
        wait = size === before ? Math.min(slowest, wait * 1.25) : fastest;
        before = size;
      }
      // The log of a job that has ended is read once, unless the connection is lost or the server puts it off.
      if (isAgain && !stop.signal.aborted) timer = window.setTimeout(() => void look(), Math.max(wait, after));
    };
    void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [job.id, live]);

  const all = stages.value;
  const current = all.find((s) => s.stage === chosen.value) ?? all.find((s) => s.status === "failed" || s.status === "running") ?? all[0];
  return (
    <section class="logs" aria-label="Log">
      {problem.value !== "" && <p class="note warn">{problem.value}</p>}
      {all.length > 1 && (
        <div class="segments" role="group" aria-label="Stage">
          {all.map((s) => (
            <button key={s.stage} type="button" aria-pressed={s === current} onClick={() => (chosen.value = s.stage)}>
              <span class={`state ${icons[s.status]?.look ?? "waiting"}`}>
                <Icon name={icons[s.status]?.icon ?? "circle"} />
                <span class="hidden">{icons[s.status]?.text}: </span>
              </span>{" "}
              {stageTitle(s.stage)}
            </button>
          ))}
        </div>
      )}
      {current !== undefined && <Text key={current.stage} content={current.content} live={live && current.status === "running"} />}
    </section>
  );
}

/** A log. It stays at its end while it grows, unless the user has scrolled away from there. */
function Text({ content, live }: { content: string; live: boolean }) {
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [content]);
  return (
    <pre
      ref={box}
      class="log"
      tabIndex={0}
      aria-label="Output of the stage"
      onScroll={(e) => (atEnd.current = e.currentTarget.scrollHeight - e.currentTarget.scrollTop - e.currentTarget.clientHeight < 24)}
    >
      {content === "" ? <span class="soft">{live ? "Nothing yet." : "This stage has written nothing."}</span> : content}
    </pre>
  );
}
