import { mount } from "svelte";
import "./tokens.css";
import "./base.css";
import App from "./App.svelte";
import { keepTheme } from "./lib/theme.svelte";

keepTheme();
mount(App, { target: document.getElementById("app") as HTMLElement });
