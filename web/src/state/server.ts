// What the server offers: asked for once, and again until it answers.
import { signal } from "@preact/signals";
import { options as fetchOptions, ServerError, versions as fetchVersions, workflows as fetchWorkflows } from "../api/client";
import type { Options, Versions, Workflow } from "../api/types";
import { wordsOfRetry } from "./patience";

/** The offered workflows; undefined before the server has answered. */
export const workflows = signal<Workflow[] | undefined>(undefined);

/** The options and uploads; without any if the server is of a version that does not tell. */
export const catalogue = signal<Options | undefined>(undefined);

export const installed = signal<Versions | undefined>(undefined);

/** Why the server could not be asked. */
export const offline = signal("");

export async function meet(): Promise<void> {
  for (let pause = 1_000; ; pause = Math.min(20_000, pause * 2)) {
    let after = 0;
    try {
      const [offered, told, versions] = await Promise.all([fetchWorkflows(), fetchOptions().catch(older), fetchVersions()]);
      workflows.value = offered;
      catalogue.value = told;
      installed.value = versions;
      offline.value = "";
      return;
    } catch (error) {
      offline.value = wordsOfRetry(error);
      after = error instanceof ServerError ? error.retryAfter * 1_000 : 0;
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(pause, after)));
  }
}

/** Servers of older versions don't have the call: they take every option, but don't say which there are. */
function older(error: unknown): Options {
  if (error instanceof ServerError && (error.status === 404 || error.status === 501)) return { options: [], uploads: [] };
  throw error;
}
