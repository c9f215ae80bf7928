// What to do about a failure, by its kind. The reason itself is the server's.
const advice: Record<string, string> = {
  bad_input: "Correct what the reason names, and annotate the files again.",
  out_of_memory: "Run it again; if it fails again, ask the operator of this server for more memory, or annotate fewer sequences.",
  out_of_disk: "The server has run out of space. Delete jobs that are not needed any more, or tell its operator, then run it again.",
  out_of_time: "It took longer than this server allows. Try a smaller genome, leave out steps, or ask the operator for more time.",
  unschedulable: "The server had no place to run it. Run it again later.",
  bad_image: "The server could not start the program. Tell its operator.",
  internal: "Run it again; if it fails again, tell the operator of this server the id of the job.",
};

export const adviceFor = (code: string | undefined) => (code === undefined ? "The log has more." : (advice[code] ?? "The log has more."));

/** Whether the same job may succeed another time. */
export const repeatable = (code: string | undefined) => code !== "bad_input";
