import "./styles/base.css";
import "./styles/parts.css";
import { render } from "preact";
import { App } from "./app";
import { takePublished } from "./router";
import { remember } from "./state/draft";
import { load } from "./state/jobs";
import { meet } from "./state/server";
import { resume } from "./state/tasks";
import { wake, watch } from "./state/watch";

takePublished();
void remember();
void meet();
void load(wake).then(() => resume());
watch((back) => void resume(back));
render(<App />, document.getElementById("app")!);
