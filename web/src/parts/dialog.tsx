// A question before something that can't be undone.
import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface Props {
  title: string;
  children: ComponentChildren;
  /** The words of the button that does it. */
  act: string;
  onAct: () => void;
  onClose: () => void;
}

export function Question({ title, children, act, onAct, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="question sheet" aria-labelledby="question-title" onClose={onClose}>
      <h2 id="question-title">{title}</h2>
      <div>{children}</div>
      <div class="row end">
        <button type="button" class="button" autofocus onClick={() => dialog.current?.close()}>
          Keep
        </button>
        <button
          type="button"
          class="button bad"
          onClick={() => {
            onAct();
            dialog.current?.close();
          }}
        >
          {act}
        </button>
      </div>
    </dialog>
  );
}
