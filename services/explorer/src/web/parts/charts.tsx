import { grouped } from "../text/time.ts";

/** Stretched to the room there is; what must not be stretched (words, strokes) is not drawn to this scale. */
const WIDTH = 1000;
const HEIGHT = 120;

export interface ChartPoint {
  readonly label: string;
  readonly value: number;
}

interface ChartProps {
  /** What a screen reader hears in place of the picture, and everyone reads below it. */
  readonly caption: string;
  readonly points: readonly ChartPoint[];
}

/** A count a day. The same figures are a table below, for those who do not see the picture. */
export function BarChart({ caption, points }: ChartProps) {
  const highest = Math.max(1, ...points.map(({ value }) => value));
  const step = WIDTH / Math.max(points.length, 1);
  const width = Math.max(1, Math.min(step * 0.78, 30));
  return (
    <Chart caption={caption} points={points} highest={highest}>
      {points.map(({ label, value }, index) => {
        const height = value === 0 ? 0 : Math.max(2, (HEIGHT * value) / highest);
        const x = index * step + (step - width) / 2;
        return (
          <rect key={label} class="bar-mark" x={x} y={HEIGHT - height} width={width} height={height}>
            <title>{`${label}: ${grouped(value)}`}</title>
          </rect>
        );
      })}
    </Chart>
  );
}

/** A size over time. */
export function LineChart({ caption, points }: ChartProps) {
  const highest = Math.max(1, ...points.map(({ value }) => value));
  const x = (index: number) => (points.length < 2 ? WIDTH : (index * WIDTH) / (points.length - 1));
  const y = (value: number) => HEIGHT - (HEIGHT * value) / highest;
  const line = points.map(({ value }, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" L");
  return (
    <Chart caption={caption} points={points} highest={highest}>
      {points.length > 1 && (
        <>
          <path class="area-mark" d={`M${line} L${WIDTH},${HEIGHT} L0,${HEIGHT} Z`} />
          <path class="line-mark" d={`M${line}`} />
        </>
      )}
    </Chart>
  );
}

interface FrameProps extends ChartProps {
  readonly highest: number;
  readonly children: preact.ComponentChildren;
}

function Chart({ caption, points, highest, children }: FrameProps) {
  const [first, last] = [points[0], points.at(-1)];
  return (
    <figure class="chart">
      <figcaption>{caption}</figcaption>
      <div class="chart-top" aria-hidden="true">
        {grouped(highest)}
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={caption}>
        {children}
      </svg>
      <div class="chart-ends" aria-hidden="true">
        <span>{first?.label}</span>
        <span>{points.length > 1 ? last?.label : ""}</span>
      </div>
      <details>
        <summary>As a table</summary>
        <div class="scroller">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col" class="number">
                  Count
                </th>
              </tr>
            </thead>
            <tbody>
              {points
                .filter(({ value }) => value > 0)
                .map(({ label, value }) => (
                  <tr key={label}>
                    <td>{label}</td>
                    <td class="number">{grouped(value)}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}
