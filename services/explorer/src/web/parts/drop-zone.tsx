import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { pathForFile } from "./dropped-file.ts";
import { Text } from "./text.tsx";

interface DropZoneProps {
  readonly class?: string;
  readonly onFile: (file: File) => void;
  readonly children: ComponentChildren;
}

/** Takes a file that is dropped on it; what it holds offers another way to choose one. */
export function DropZone({ class: name = "", onFile, children }: DropZoneProps) {
  const [isOver, setOver] = useState(false);
  return (
    <div
      class={isOver ? `${name} dropping` : name}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) onFile(file);
      }}
    >
      {children}
    </div>
  );
}

interface DropAnywhereProps {
  /** There a file that is no bundle belongs onto its field. */
  readonly isCheck: boolean;
  readonly onPath: (path: string) => void;
}

/** The whole window takes files: a browser would else leave the page for what is dropped beside a field. */
export function DropAnywhere({ isCheck, onPath }: DropAnywhereProps) {
  const [told, setTold] = useState<string>();
  useEffect(() => {
    const over = (event: DragEvent) => event.preventDefault();
    const drop = (event: DragEvent) => {
      // A zone has taken it already.
      if (event.defaultPrevented) return;
      event.preventDefault();
      const file = event.dataTransfer?.files[0];
      if (file === undefined) return;
      setTold(`Hashing ${file.name} in this browser`);
      pathForFile(file, (share) => setTold(`Hashing ${file.name} in this browser: ${Math.round(share * 100)} %`)).then(
        (path) => {
          const belongsElsewhere = isCheck && path !== "/check";
          setTold(belongsElsewhere ? "This is no bundle: drop the signed file on its field." : undefined);
          if (!belongsElsewhere) onPath(path);
        },
        () => setTold(`${file.name} could not be read.`),
      );
    };
    addEventListener("dragover", over);
    addEventListener("drop", drop);
    return () => {
      removeEventListener("dragover", over);
      removeEventListener("drop", drop);
    };
  });
  if (told === undefined) return null;
  return (
    <p class="waiting" role="status">
      <Text value={told} />
    </p>
  );
}
