import type { ComponentChildren, RefObject } from "preact";
import { useState } from "preact/hooks";
import { fetchSession } from "../api/about.ts";
import type { Route } from "../route.ts";
import { keepTheme, storedTheme, THEMES } from "../theme.ts";
import { hasNoRole, maySeeIssuance, SessionBar, SessionContext } from "./session.tsx";
import { NoRolePage } from "../pages/session-pages.tsx";
import { useAnswer } from "./use-answer.ts";

type PageName = Route["page"];

const PLACES: readonly { readonly path: string; readonly name: string; readonly pages: readonly PageName[] }[] = [
  { path: "/search", name: "Search", pages: ["search", "entry", "identity"] },
  { path: "/logs", name: "Logs", pages: ["logs", "log"] },
  { path: "/issuance", name: "Issuance", pages: ["issuance"] },
  { path: "/health", name: "Health", pages: ["health"] },
  { path: "/check", name: "Check a bundle", pages: ["check"] },
  { path: "/sign", name: "How to sign", pages: ["sign"] },
];

interface ShellProps {
  readonly page: PageName;
  readonly main: RefObject<HTMLElement | null>;
  readonly children: ComponentChildren;
}

export function Shell({ page, main, children }: ShellProps) {
  const answer = useAnswer("session", fetchSession);
  const session = answer?.kind === "answered" ? answer.value : undefined;
  return (
    <SessionContext.Provider value={session}>
      <a class="skip" href="#content">
        To the content
      </a>
      <header class="bar">
        <div class="bar-inside">
          <a class="brand" href="/">
            <Seal />
            Chancery
          </a>
          <nav aria-label="Pages">
            <ul>
              {PLACES.filter(({ path }) => path !== "/issuance" || maySeeIssuance(session)).map(
                ({ path, name, pages }) => (
                  <li key={path}>
                    <a href={path} aria-current={pages.includes(page) ? "page" : undefined}>
                      {name}
                    </a>
                  </li>
                ),
              )}
            </ul>
          </nav>
          <SessionBar />
        </div>
      </header>
      <main id="content" ref={main}>
        {hasNoRole(session) && page !== "signed-out" ? <NoRolePage /> : children}
      </main>
      <footer class="foot">
        <div class="foot-inside">
          <span>Proofs are checked in this browser. Nothing is asked of any other server.</span>
          <span>
            <a href="/keys">Keys this browser trusts</a> · <ThemeButton />
          </span>
        </div>
      </footer>
    </SessionContext.Provider>
  );
}

function ThemeButton() {
  const [theme, setTheme] = useState(storedTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
  const change = () => {
    keepTheme(next);
    setTheme(next);
  };
  return (
    <button type="button" class="link-button" onClick={change} aria-label={`Colours: ${theme}. Change to ${next}`}>
      Colours: {theme}
    </button>
  );
}

function Seal() {
  return (
    <svg viewBox="0 0 32 32" aria-hidden="true">
      <circle cx="16" cy="16" r="15" fill="#1f5c58" />
      <circle cx="16" cy="16" r="11.5" fill="none" stroke="#fff" stroke-opacity=".45" />
      <path d="M20.6 12.4a6 6 0 1 0 0 7.2" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" />
    </svg>
  );
}
