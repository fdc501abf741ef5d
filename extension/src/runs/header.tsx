/** The head of the table of runs: how many there are, what is shown of them, where they go. */
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { RunColumn, RunsView } from '../api';
import { Popover } from '../components/popover';
import { Select } from '../components/select';
import type { ExperimentManager } from '../experiments/manager';
import { ColumnChooser } from './chooser';
import { downloadCsv } from './csv';
import type { Query } from './question';
import type { RunTable } from './table';
import { CommandIDs } from './tokens';
import { Views } from './views';

export interface IHeaderProps {
  experimentIds: string[];
  /** What the experiments are called. */
  names: string;
  table: RunTable;
  /** The columns that the runs have. */
  columns: RunColumn[];
  experiments: ExperimentManager;
  commands: CommandRegistry;
  trans: TranslationBundle;
}

export function Header(props: IHeaderProps): React.ReactElement {
  const { table, experiments, trans, commands, experimentIds, names } = props;
  const { query } = table;
  const said = [
    trans._n('%1 run', '%1 runs', table.total).replace(/\d+/, table.total.toLocaleString()),
    table.nested ? trans.__('%1 nested', table.nested.toLocaleString()) : '',
    table.running ? trans.__('%1 running', table.running) : ''
  ];
  const choose = (view: RunsView) => {
    const { filter, order_by, columns, widths, group_by, view: which } = view;
    void table.ask({ filter, order_by, columns, widths, group_by, view: which });
  };
  return (
    <div className="jp-perijove-title">
      <div>
        <h1 title={names}>
          <bdi>{names}</bdi>
        </h1>
        <span className="jp-perijove-count" aria-live="polite">
          {table.isReady ? said.filter(Boolean).join(' · ') : ''}
        </span>
        <div className="jp-perijove-verbs">
          <Select
            aria-label={trans.__('Which runs')}
            value={query.view}
            onChange={event => void table.ask({ view: event.target.value as Query['view'] })}
          >
            <option value="active">{trans.__('Active')}</option>
            <option value="deleted">{trans.__('Deleted')}</option>
            <option value="all">{trans.__('All')}</option>
          </Select>
          <Popover label={trans.__('Columns')}>
            {() => (
              <ColumnChooser
                columns={props.columns}
                shown={table.columns}
                groupBy={query.group_by ?? null}
                trans={trans}
                onColumns={columns => void table.ask({ columns })}
                onGroupBy={group_by => void table.ask({ group_by })}
              />
            )}
          </Popover>
          <Popover label={trans.__('Views')}>
            {close => (
              <Views
                experiments={experiments}
                experimentId={experimentIds[0]}
                query={{ ...query, columns: table.columns.map(({ name }) => name) }}
                trans={trans}
                onChoose={view => {
                  choose(view);
                  close();
                }}
              />
            )}
          </Popover>
          <Popover label={trans.__('Export')}>
            {close => (
              <ul className="jp-perijove-menu">
                <li>
                  <button
                    className="jp-perijove-link"
                    onClick={() => {
                      close();
                      void downloadCsv(table, names, trans);
                    }}
                  >
                    {trans.__('Download as CSV')}
                  </button>
                </li>
                <li>
                  <button
                    className="jp-perijove-link"
                    onClick={() => {
                      close();
                      void commands.execute(CommandIDs.insert, { experimentIds });
                    }}
                  >
                    {trans.__('Insert as DataFrame')}
                  </button>
                </li>
              </ul>
            )}
          </Popover>
          <button
            className="jp-Button jp-mod-styled jp-mod-accept"
            onClick={() => void commands.execute('perijove:run-on')}
          >
            {trans.__('Run on…')}
          </button>
        </div>
      </div>
    </div>
  );
}
