// Runs jobs on a backend for the tests, without the page.

const call = async (url, path, body) => {
  const answer = await fetch(`${url}/api/v2${path}`, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return text === "" ? null : JSON.parse(text);
};

/**
 * Runs a job to its end and returns it.
 * @param {string} url
 * @param {string} kind
 * @param {Record<string, string | Uint8Array>} uploads
 */
export async function runJob(url, kind, uploads, { name = "try", config = {} } = {}) {
  const made = await call(url, "/job/init", { name, workflow_kind: kind });
  for (const [upload, content] of Object.entries(uploads)) {
    const link = made.uploads.find((u) => u.upload_kind === upload);
    const sent = await fetch(link.url, { method: "PUT", body: content });
    if (!sent.ok) throw new Error(`upload: ${sent.status}`);
  }
  await call(url, "/job/start", { job: made.job, workflow_kind: kind, config });
  for (;;) {
    const { jobs } = await call(url, "/job/list", { jobs: [made.job] });
    if (jobs[0].status === "successful" || jobs[0].status === "error") return { ...made.job, status: jobs[0].status };
    await new Promise((resolve) => setTimeout(resolve, 100)); // the server has no call that waits in all versions
  }
}

/** The address of a job's page. */
export const pageOf = (url, job) => `${url.replace(/\/$/, "")}/#/job/${job.job_id}/${job.secret}`;
