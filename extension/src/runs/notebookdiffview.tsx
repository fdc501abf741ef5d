/** The executed notebooks of two runs side by side. */
import * as React from 'react';

import { Select } from '../components/select';
import type { RunRow } from '../api';
import { useAnswer } from '../components/answer';
import { LoadingLine } from '../components/loading';
import type { ICompareOptions } from './comparedocument';
import { pairCells, pairLines, type ICellPair } from './notebookdiff';

export function NotebookDiffView(props: ICompareOptions & { found: RunRow[] }): React.ReactElement {
  const { found, trans, runs: manager } = props;
  const [left, setLeft] = React.useState(found[0]?.run_id ?? '');
  const [right, setRight] = React.useState(found[1]?.run_id ?? '');
  const [all, setAll] = React.useState(false);
  const [diff, error] = useAnswer(() => manager.notebookDiff(left, right), [left, right]);
  const choose = (label: string, value: string, change: (id: string) => void) => (
    <label>
      {label}
      <Select value={value} onChange={event => change(event.target.value)}>
        {found.map(run => (
          <option key={run.run_id} value={run.run_id}>
            {run.name}
          </option>
        ))}
      </Select>
    </label>
  );
  const pairs = React.useMemo(
    () => (diff ? pairCells(diff.left, diff.right, diff.diff) : []),
    [diff]
  );
  const shown = pairs.filter(pair => all || pair.changed || pair.outputs);
  return (
    <div className="jp-perijove-scroll" tabIndex={0} aria-label={trans.__('Notebooks')}>
      <div className="jp-perijove-controls">
        {choose(trans.__('Left'), left, setLeft)}
        {choose(trans.__('Right'), right, setRight)}
        <label>
          <input type="checkbox" checked={all} onChange={event => setAll(event.target.checked)} />
          {trans.__('All cells')}
        </label>
      </div>
      {error ? (
        <p className="jp-perijove-hint" role="alert">
          {error}
        </p>
      ) : !diff ? (
        <LoadingLine trans={trans} />
      ) : !shown.length ? (
        <p className="jp-perijove-hint">{trans.__('The notebooks of these runs say the same.')}</p>
      ) : (
        <div className="jp-perijove-nbdiff">
          {shown.map((pair, index) => (
            <Pair key={index} pair={pair} trans={trans} />
          ))}
        </div>
      )}
    </div>
  );
}

function Pair(props: { pair: ICellPair; trans: ICompareOptions['trans'] }): React.ReactElement {
  const { left, right, outputs } = props.pair;
  const lines = pairLines(left?.source ?? '', right?.source ?? '');
  const side = (which: 'left' | 'right') =>
    lines.map((line, index) => {
      const text = line[which];
      const isSame = line.left === line.right;
      const mark = isSame ? '' : text === null ? 'jp-mod-none' : `jp-mod-${which}`;
      return (
        <div key={index} className={mark}>
          {text || ' '}
        </div>
      );
    });
  return (
    <section>
      <pre className={left ? '' : 'jp-mod-absent'}>{left ? side('left') : null}</pre>
      <pre className={right ? '' : 'jp-mod-absent'}>{right ? side('right') : null}</pre>
      {outputs && <small>{props.trans.__('The outputs differ.')}</small>}
    </section>
  );
}
