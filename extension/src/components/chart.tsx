/** A line chart of one metric, in the theme's colours; it grows as points arrive. */
import * as React from 'react';
import uPlot from 'uplot';

export interface IChartProps {
  title: string;
  xs: number[];
  ys: number[];
  /** Changes when the points do. */
  version: number;
  /** Changes when the theme does. */
  theme: string;
}

const HEIGHT = 150;

export function Chart(props: IChartProps): React.ReactElement {
  const host = React.useRef<HTMLDivElement>(null);
  const plot = React.useRef<uPlot | null>(null);

  React.useEffect(() => {
    const element = host.current!;
    const style = getComputedStyle(element);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const axis: uPlot.Axis = {
      stroke: color('--jp-ui-font-color2'),
      grid: { stroke: color('--jp-border-color2'), width: 1 },
      ticks: { show: false },
      font: `10px ${color('--jp-ui-font-family') || 'sans-serif'}`
    };
    const made = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: true, y: false }, points: { size: 6 } },
        scales: { x: { time: false } },
        axes: [
          { ...axis, grid: { show: false }, size: 24 },
          { ...axis, size: 48 }
        ],
        series: [
          {},
          {
            stroke: color('--jp-brand-color1'),
            width: 2,
            points: { show: props.xs.length < 2, size: 7, fill: color('--jp-brand-color1') }
          }
        ]
      },
      [props.xs, props.ys],
      element
    );
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (element.clientWidth) {
        made.setSize({ width: element.clientWidth, height: HEIGHT });
      }
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
    // a second point turns a dot into a line
  }, [props.theme, props.xs.length < 2]);

  React.useEffect(() => {
    plot.current?.setData([props.xs, props.ys]);
  }, [props.version]);

  return <div ref={host} className="jp-perijove-chart" role="img" aria-label={props.title} />;
}
