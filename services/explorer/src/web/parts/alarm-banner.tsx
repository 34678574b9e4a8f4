import { useEffect, useState } from "preact/hooks";
import { type Alarm, countedAlarms, isCritical, lastAudit, openAlarms } from "../api/audit.ts";
import { Notice } from "./notice.tsx";
import { Text } from "./text.tsx";

const MINUTE = 60_000;

/** Whoever looks something up must know that the auditor disbelieves these logs. Silent where it cannot be asked. */
export function AlarmBanner() {
  const [alarms, setAlarms] = useState<readonly Alarm[]>([]);
  useEffect(() => {
    let isGone = false;
    const look = () => {
      void lastAudit.ask().then((answer) => {
        if (isGone || answer.kind !== "answered") return;
        setAlarms(openAlarms(answer.value));
      });
    };
    look();
    const timer = setInterval(look, MINUTE);
    return () => {
      isGone = true;
      clearInterval(timer);
    };
  }, []);
  const [first] = alarms;
  if (first === undefined) return null;
  return (
    <Notice tone={isCritical(first) ? "bad" : "warn"} title={`The auditor has ${countedAlarms(alarms)} open`}>
      {alarms.length > 1 && "The worst: "}
      <Text value={first.what} />{" "}
      <a href="/health">
        {alarms.length > 1 ? `See all ${alarms.length}, and what to do` : "See what it found, and what to do"}
      </a>
    </Notice>
  );
}
