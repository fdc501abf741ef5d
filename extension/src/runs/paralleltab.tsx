/** What differs between runs as parallel coordinates, over axes that are chosen. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { RunRow } from '../api';
import { Checklist } from '../components/checklist';
import { Parallel } from '../components/parallel';
import { Popover } from '../components/popover';
import { axesOf } from './differences';
import { figure } from './format';

/** Axes at first, of metrics among them, and at most. */
const AXES = { first: 10, metrics: 5, most: 30 };
/** Pixels: the least height, and what is not the axes. */
const LEAST = 240;
const HEAD = 60;

export function ParallelTab(props: {
  runs: readonly RunRow[];
  metrics: readonly string[];
  trans: TranslationBundle;
  /** The numbers of the runs within the ranges that are drawn; null: there is none. */
  brushed: readonly number[] | null;
  onBrush(chosen: number[] | null): void;
}): React.ReactElement {
  const { runs, metrics, trans } = props;
  const own = metrics.filter(key => !key.startsWith('system/'));
  const all = axesOf(runs, own, trans, Infinity);
  const [picked, setPicked] = React.useState<string[] | null>(null);
  const first = axesOf(runs, own.slice(0, AXES.metrics), trans, AXES.first);
  const chosen = picked ?? first.map(({ name }) => name);
  const axes = all.filter(({ name }) => chosen.includes(name));
  const host = React.useRef<HTMLDivElement>(null);
  const [height, setHeight] = React.useState(360);
  React.useEffect(() => {
    const observer = new ResizeObserver(() =>
      setHeight(Math.max(LEAST, host.current!.clientHeight - HEAD))
    );
    observer.observe(host.current!);
    return () => observer.disconnect();
  }, []);
  return (
    <div
      ref={host}
      className="jp-perijove-scroll"
      tabIndex={0}
      aria-label={trans.__('Parallel coordinates')}
    >
      <div className="jp-perijove-controls">
        <Popover label={trans.__('Axes')}>
          {() => (
            <Checklist
              find={trans.__('Find an axis')}
              items={all.map(({ name }) => ({ key: name, label: name }))}
              chosen={chosen}
              most={AXES.most}
              none={trans.__('None of this name differs.')}
              onChange={setPicked}
            />
          )}
        </Popover>
        <span className="jp-perijove-count">
          {trans.__('%1 of %2 that differ', axes.length, all.length)}
        </span>
        {props.brushed && (
          <span className="jp-perijove-count">
            {trans.__('%1 of %2 runs chosen', props.brushed.length, runs.length)}
          </span>
        )}
      </div>
      {axes.length ? (
        <Parallel
          axes={axes}
          labels={runs.map(run => run.name)}
          height={height}
          format={figure}
          trans={trans}
          onBrush={props.onBrush}
        />
      ) : (
        <p className="jp-perijove-hint">
          {all.length
            ? trans.__('Choose an axis.')
            : trans.__('The runs have the same parameters and metrics.')}
        </p>
      )}
    </div>
  );
}
