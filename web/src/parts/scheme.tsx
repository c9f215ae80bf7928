// Light, dark, or as the system has it.
import { effect, signal } from "@preact/signals";
import { keep, setting } from "../state/db";
import { Icon, type IconName } from "./icon";

type Scheme = "auto" | "light" | "dark";

const order: Record<Scheme, { next: Scheme; icon: IconName; title: string }> = {
  auto: { next: "light", icon: "auto", title: "as the system has it" },
  light: { next: "dark", icon: "sun", title: "light" },
  dark: { next: "auto", icon: "moon", title: "dark" },
};

const scheme = signal<Scheme>("auto");
const system = matchMedia("(prefers-color-scheme: dark)");
const systemDark = signal(system.matches);
system.addEventListener("change", () => {
  systemDark.value = system.matches;
});
effect(() => {
  const dark = scheme.value === "dark" || (scheme.value === "auto" && systemDark.value);
  document.documentElement.dataset["scheme"] = dark ? "dark" : "light";
});
void setting<Scheme>("scheme").then((kept) => {
  if (kept !== undefined && kept in order) scheme.value = kept;
});

export function SchemeButton() {
  const now = order[scheme.value];
  const choose = () => {
    scheme.value = now.next;
    void keep("scheme", now.next);
  };
  const title = `Colours: ${now.title}. Change to ${order[now.next].title}`;
  return (
    <button type="button" class="button quiet icon" aria-label={title} title={title} onClick={choose}>
      <Icon name={now.icon} />
    </button>
  );
}
