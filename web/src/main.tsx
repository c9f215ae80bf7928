import "./styles/base.css";
import "./styles/parts.css";
import { render } from "preact";
import { App } from "./app";
import { takePublished } from "./router";
import { load } from "./state/jobs";
import { watch } from "./state/watch";

takePublished();
void load();
watch();
render(<App />, document.getElementById("app")!);
