// CGView.js writes its version, and what it loads, to the browser's console. A page that is well writes nothing there.
import type { Plugin } from "vite";

export function quiet(): Plugin {
  return {
    name: "quiet",
    transform(code, id) {
      return /\/node_modules\/cgview\/.*\.js$/.test(id) ? { code: code.replaceAll("console.log(", "void ("), map: null } : null;
    },
  };
}
