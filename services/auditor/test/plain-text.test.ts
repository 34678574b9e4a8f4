import { describe, expect, test } from "vitest";
import type { Alarm } from "../src/domain/alarm.ts";
import { alarmChatText, alarmText } from "../src/domain/alarm-text.ts";
import { chatText, plainText } from "../src/domain/plain-text.ts";

test.for([
  ["a line\nCRITICAL (fork): another", "a line\\u{a}CRITICAL (fork): another"],
  ["\u001b[2Kgone", "\\u{1b}[2Kgone"],
  ["user\u202egpj.exe", "user\\u{202e}gpj.exe"],
  ["\u2066isolated\u2069", "\\u{2066}isolated\\u{2069}"],
  ["zero\u200bwidth, \ufeff, tag \u{e0041}", "zero\\u{200b}width, \\u{feff}, tag \\u{e0041}"],
  ["a filler \u3164 that nobody sees", "a filler \\u{3164} that nobody sees"],
  ["two\u2028lines", "two\\u{2028}lines"],
  ["\ud800", "\\u{d800}"],
  ["Grüße, 北京, dev@example.com <x>", "Grüße, 北京, dev@example.com <x>"],
] as const)("a stranger's %j is shown as it is", ([text, shown]) => {
  expect(plainText(text)).toBe(shown);
});

describe("in a chat, a name in a certificate", () => {
  test.for([
    ["<!channel> look", "\\u{3c}!channel\\u{3e} look"],
    ["@here", "\\u{40}here"],
    ["hello @everyone", "hello \\u{40}everyone"],
    ["x@everyone", "x\\u{40}everyone"],
    ["<@U012AB3CD>", "\\u{3c}\\u{40}U012AB3CD\\u{3e}"],
    ["<https://evil.example|ours>", "\\u{3c}https[:]//evil.example\\u{7c}ours\\u{3e}"],
    ["[click](https://evil.example)", "[click\\u{5d}(https[:]//evil.example)"],
    ["![](//evil.example/p.png)", "![\\u{5d}(//evil.example/p.png)"],
    ["www.evil.example", "www[.]evil.example"],
    ["&lt;!here&gt; &#64;here", "\\u{26}lt;!here\\u{26}gt; \\u{26}#64;here"],
    ["`*~|", "\\u{60}\\u{2a}\\u{7e}\\u{7c}"],
    ["dev@example.com", "dev@example.com"],
    [
      "https://github.com/o/r/.github/workflows/w.yml@refs/heads/main",
      "https[:]//github.com/o/r/.github/workflows/w.yml@refs/heads/main",
    ],
  ] as const)("calls nobody, links nowhere, formats nothing: %j", ([text, shown]) => {
    expect(chatText(text)).toBe(shown);
  });

  test("that is long does not push away what to do", () => {
    expect(chatText("x".repeat(100_000)).length).toBeLessThan(2_100);
  });
});

test("both texts of an alarm show names escaped, our own sentences as they are", () => {
  const alarm: Alarm = {
    id: "1",
    since: "2026-11-21T12:00:00Z",
    severity: "critical",
    check: "certificates <!here>",
    trouble: "certificate-profile",
    what: "certificate of <!channel>\u202e names @here",
    meaning: "Clients may refuse it.",
    remedy: "Run `chancery fsck`.",
    evidence: "/var/lib/a.json",
  };
  const rest = "It means: Clients may refuse it. Do: Run `chancery fsck`. Evidence: /var/lib/a.json";
  expect(alarmText(alarm)).toBe(
    `CRITICAL (certificates <!here>): certificate of <!channel>\\u{202e} names @here. ${rest}`,
  );
  expect(alarmChatText(alarm)).toBe(
    `CRITICAL (certificates \\u{3c}!here\\u{3e}): certificate of \\u{3c}!channel\\u{3e}\\u{202e} names \\u{40}here. ${rest}`,
  );
  expect(alarmChatText({ ...alarm, resolved: "2026-11-21T13:00:00Z" }, true)).toMatch(
    /^\(Told late: of 2026-11-21T13:00:00Z\.\) RESOLVED \(certificates \\u/,
  );
});
