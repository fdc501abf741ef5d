/** The versions of a model, newest first. */
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { ModelVersion, RegisteredModel } from '../api';
import { ago } from '../jobs/format';
import { Badge } from './badges';
import { figure } from './format';

/** Metrics that have a column of their own. */
const COLUMNS = 4;

export function VersionsTable(props: {
  model: RegisteredModel;
  versions: readonly ModelVersion[];
  checked: ReadonlySet<string>;
  now: number;
  trans: TranslationBundle;
  onCheck(version: string): void;
  onOpen(version: string): void;
  onOpenRun(runId: string): void;
  onAlias(alias: string, version: string): void;
}): React.ReactElement {
  const { model, versions, checked, now, trans } = props;
  const metrics = metricsOf(versions);
  const onKeyDown = (event: React.KeyboardEvent<HTMLTableRowElement>, version: string) => {
    const step = { ArrowDown: 'nextElementSibling', ArrowUp: 'previousElementSibling' } as const;
    const way = step[event.key as keyof typeof step];
    if (way) {
      event.preventDefault();
      (event.currentTarget[way] as HTMLElement | null)?.focus();
    } else if (event.target === event.currentTarget && event.key === 'Enter') {
      props.onOpen(version);
    } else if (event.target === event.currentTarget && event.key === ' ') {
      event.preventDefault();
      props.onCheck(version);
    }
  };
  return (
    <table className="jp-perijove-table jp-perijove-versions">
      <thead>
        <tr>
          <th aria-label={trans.__('Compare')} />
          <th>{trans.__('Version')}</th>
          <th>{trans.__('Aliases')}</th>
          {metrics.map(key => (
            <th key={key} className="jp-mod-number">
              {key}
            </th>
          ))}
          <th>{trans.__('Created')}</th>
          <th>{trans.__('Source')}</th>
        </tr>
      </thead>
      <tbody>
        {versions.map(one => (
          <tr
            key={one.version}
            tabIndex={0}
            data-model-name={one.name}
            data-model-version={one.version}
            className={one.archived ? 'jp-mod-archived' : ''}
            onClick={() => props.onOpen(one.version)}
            onKeyDown={event => onKeyDown(event, one.version)}
          >
            <td onClick={event => event.stopPropagation()}>
              <input
                type="checkbox"
                aria-label={trans.__('Compare version %1', one.version)}
                checked={checked.has(one.version)}
                onChange={() => props.onCheck(one.version)}
              />
            </td>
            <td>
              <b>{one.version}</b> {one.archived && <small>{trans.__('archived')}</small>}
              {one.status !== 'READY' && <small>{one.message || one.status}</small>}
            </td>
            <td onClick={event => event.stopPropagation()}>
              <span className="jp-perijove-badges">
                {one.aliases?.map(alias => (
                  <Badge
                    key={alias}
                    alias={
                      model.aliases?.find(known => known.alias === alias) ?? {
                        alias,
                        version: one.version
                      }
                    }
                    trans={trans}
                    onClick={() => props.onAlias(alias, one.version)}
                  />
                ))}
              </span>
            </td>
            {metrics.map(key => (
              <td key={key} className="jp-mod-number">
                {figure(one.metrics?.[key])}
              </td>
            ))}
            <td title={one.created_at ? new Date(one.created_at).toLocaleString() : ''}>
              {one.created_at ? ago(one.created_at, trans, now) : '–'}
            </td>
            <td onClick={event => event.stopPropagation()}>
              {one.run_id ? (
                <button
                  className="jp-perijove-link"
                  onClick={() => props.onOpenRun(one.run_id!)}
                  title={one.run_id}
                >
                  <bdi>{one.run_name ?? one.run_id.slice(0, 8)}</bdi>
                </button>
              ) : (
                <span className="jp-perijove-hint">{trans.__('from outside')}</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Those that most versions have. */
function metricsOf(versions: readonly ModelVersion[]): string[] {
  const counts = new Map<string, number>();
  versions.forEach(({ metrics }) =>
    Object.keys(metrics ?? {})
      .filter(key => !key.startsWith('system/'))
      .forEach(key => counts.set(key, (counts.get(key) ?? 0) + 1))
  );
  return [...counts]
    .sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0]))
    .slice(0, COLUMNS)
    .map(([key]) => key);
}
