// Where files and folders are dropped, or chosen.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../../parts/icon";
import type { Dropped } from "../../state/draft";

/** The most files that are taken of one drop: a folder may be a whole disk. */
const most = 20_000;

/** Reads what was dropped, with the files of folders and of folders in them. Hidden files are passed over. */
async function filesOf(transfer: DataTransfer): Promise<Dropped[]> {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return fromList(transfer.files);
  const found: Dropped[] = [];
  for (const entry of entries) await walk(entry, found);
  return sorted(found);
}

const collator = new Intl.Collator("en", { numeric: true });

/** Sorts the files of folders, which come in any order. */
const sorted = (files: Dropped[]) => (files.some((f) => f.path.includes("/")) ? files.sort((a, b) => collator.compare(a.path, b.path)) : files);

async function walk(entry: FileSystemEntry, found: Dropped[]): Promise<void> {
  if (found.length >= most || entry.name.startsWith(".")) return;
  if (entry.isFile) {
    const file = await new Promise<File | undefined>((resolve) => (entry as FileSystemFileEntry).file(resolve, () => resolve(undefined)));
    if (file !== undefined) found.push({ file, path: entry.fullPath.replace(/^\//, "") });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives at most a hundred entries at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve) => reader.readEntries(resolve, () => resolve([])));
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, found);
  }
}

const fromList = (files: FileList): Dropped[] =>
  sorted([...files].filter((file) => !file.name.startsWith(".")).map((file) => ({ file, path: file.webkitRelativePath || file.name })));

export function DropZone({ small, take }: { small: boolean; take: (files: Dropped[]) => void }) {
  const over = useSignal(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);

  useEffect(() => {
    // The whole window takes a drop: a file that misses the zone would replace the page.
    let depth = 0;
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (hasFiles(event)) over.value = ++depth > 0;
    };
    const leave = () => {
      depth = Math.max(0, depth - 1);
      over.value = depth > 0;
    };
    const hover = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    const drop = (event: DragEvent) => {
      depth = 0;
      over.value = false;
      if (!hasFiles(event) || event.dataTransfer === null) return;
      event.preventDefault();
      void filesOf(event.dataTransfer).then(take);
    };
    addEventListener("dragenter", enter);
    addEventListener("dragleave", leave);
    addEventListener("dragover", hover);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragenter", enter);
      removeEventListener("dragleave", leave);
      removeEventListener("dragover", hover);
      removeEventListener("drop", drop);
    };
  }, []);

  const chosen = (input: HTMLInputElement) => {
    if (input.files !== null && input.files.length > 0) take(fromList(input.files));
    input.value = ""; // so that the same file can be chosen again
  };

  return (
    <section class={`drop${small ? " small" : ""}${over.value ? " over" : ""}`} aria-label="Files">
      {!small && (
        <div class="drop-art" aria-hidden="true">
          <svg viewBox="0 0 120 120" fill="none" stroke-linecap="round">
            <circle class="ring" cx="60" cy="60" r="50" stroke-width="1.5" />
            <path class="gene a" d="M60 14a46 46 0 0 1 40.500 24.500" stroke-width="7" />
            <path class="gene b" d="M104.500 50a46 46 0 0 1-6 36" stroke-width="7" />
            <path class="gene a" d="M90 94.800a46 46 0 0 1-36 10.800" stroke-width="7" />
            <path class="gene c" d="M41 102a46 46 0 0 1-24.500-27" stroke-width="7" />
            <path class="gene b" d="M14 60a46 46 0 0 1 17-36" stroke-width="7" />
            <path class="arrow" d="M60 78V44M46 57l14-14 14 14" stroke-width="3.500" stroke-linejoin="round" />
          </svg>
        </div>
      )}
      <div class="drop-text">
        <p class="drop-lead">{small ? "Drop more files anywhere on this page" : "Drop genomes here"}</p>
        {!small && (
          <p class="soft">
            One file or hundreds, whole folders, plain or compressed: genomes, proteins and Bakta’s JSON are told apart by what is in them. A sample sheet
            (CSV or TSV) names each sample and its options.
          </p>
        )}
        <div class="row">
          <button type="button" class={`button${small ? " small" : " main"}`} onClick={() => files.current?.click()}>
            <Icon name="file" />
            Choose files
          </button>
          <button type="button" class={`button${small ? " small" : ""}`} onClick={() => folder.current?.click()}>
            Choose a folder
          </button>
        </div>
      </div>
      <input ref={files} type="file" multiple hidden aria-label="Files to annotate" onChange={(e) => chosen(e.currentTarget)} />
      <input ref={folder} type="file" multiple hidden {...{ webkitdirectory: true }} aria-label="A folder to annotate" onChange={(e) => chosen(e.currentTarget)} />
    </section>
  );
}
