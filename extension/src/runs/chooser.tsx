/** Which columns the table of runs has, and by which its runs are grouped. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { Select } from '../components/select';
import type { RunColumn } from '../api';
import { ATTRIBUTES, columnName, type ColumnKind, type IColumn } from './columns';
import { columnTitle } from './format';

interface IChoice extends IColumn {
  runs: number | null;
}

/** Choices drawn; the rest is found by typing. */
const MOST = 200;

export function choices(columns: readonly RunColumn[], shown: readonly IColumn[]): IChoice[] {
  const kinds: Partial<Record<RunColumn['kind'], ColumnKind>> = {
    metric: 'metrics',
    param: 'params',
    tag: 'tags'
  };
  const found = new Map<string, IChoice>();
  for (const key of Object.keys(ATTRIBUTES)) {
    const name = columnName('attributes', key);
    found.set(name, { name, kind: 'attributes', key, runs: null });
  }
  for (const { kind, key, runs } of columns) {
    const known = kinds[kind];
    if (known) {
      const name = columnName(known, key);
      found.set(name, { name, kind: known, key, runs });
    }
  }
  for (const column of shown) {
    if (!found.has(column.name)) {
      found.set(column.name, { ...column, runs: 0 });
    }
  }
  return [...found.values()];
}

export function ColumnChooser(props: {
  columns: readonly RunColumn[];
  shown: readonly IColumn[];
  groupBy: string | null;
  trans: TranslationBundle;
  onColumns(columns: string[]): void;
  onGroupBy(column: string | null): void;
}): React.ReactElement {
  const { shown, trans } = props;
  const [filter, setFilter] = React.useState('');
  const all = choices(props.columns, shown);
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter(({ name }) => words.every(word => name.toLowerCase().includes(word)));
  const names = shown.map(({ name }) => name);
  const titles: Record<ColumnKind, string> = {
    attributes: trans.__('Attributes'),
    metrics: trans.__('Metrics'),
    params: trans.__('Parameters'),
    tags: trans.__('Tags')
  };
  const change = (choice: IChoice) => {
    if (names.includes(choice.name)) {
      props.onColumns(names.filter(name => name !== choice.name));
      return;
    }
    // beside the others of its kind
    const order: ColumnKind[] = ['attributes', 'metrics', 'params', 'tags'];
    const before = shown.filter(({ kind }) => order.indexOf(kind) <= order.indexOf(choice.kind));
    props.onColumns([...names.slice(0, before.length), choice.name, ...names.slice(before.length)]);
  };
  return (
    <div className="jp-perijove-chooser">
      <label>
        {trans.__('Group by')}
        <Select
          value={props.groupBy ?? ''}
          onChange={event => props.onGroupBy(event.target.value || null)}
        >
          <option value="">{trans.__('nothing')}</option>
          {all
            .filter(({ kind }) => kind === 'params' || kind === 'tags')
            .slice(0, MOST)
            .map(({ name }) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          <option value="attributes.status">{trans.__('status')}</option>
          <option value="attributes.user">{trans.__('user')}</option>
          <option value="attributes.source">{trans.__('source')}</option>
        </Select>
      </label>
      <input
        type="search"
        className="jp-mod-styled"
        placeholder={trans.__('Find a column')}
        aria-label={trans.__('Find a column')}
        value={filter}
        onChange={event => setFilter(event.target.value)}
      />
      {(Object.keys(titles) as ColumnKind[]).map(kind => {
        const some = found.filter(choice => choice.kind === kind);
        return some.length ? (
          <fieldset key={kind}>
            <legend>{titles[kind]}</legend>
            {some.slice(0, MOST).map(choice => (
              <label key={choice.name} title={choice.name}>
                <input
                  type="checkbox"
                  checked={names.includes(choice.name)}
                  onChange={() => change(choice)}
                />
                <span>
                  <bdi>{columnTitle(choice, trans)}</bdi>
                </span>
                <small>{choice.runs ?? ''}</small>
              </label>
            ))}
            {some.length > MOST && (
              <small>{trans.__('%1 more: type a part of the name', some.length - MOST)}</small>
            )}
          </fieldset>
        ) : null;
      })}
    </div>
  );
}
