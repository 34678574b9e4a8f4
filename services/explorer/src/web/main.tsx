import { render } from "preact";
import { App } from "./app.tsx";
import { applyTheme, storedTheme } from "./theme.ts";

applyTheme(storedTheme());
const page = document.getElementById("page");
if (page !== null) render(<App />, page);
