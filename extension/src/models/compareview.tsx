/** Versions side by side; what differs is marked. */
import * as React from 'react';

import type { ModelFacts, ModelVersion } from '../api';
import { useAnswer } from '../components/answer';
import type { IModelViewProps } from './document';
import { differences, type IDifference } from './format';

export function CompareView(
  props: IModelViewProps & { versions: readonly ModelVersion[] }
): React.ReactElement {
  const { manager, versions, trans } = props;
  const [onlyDifferences, setOnly] = React.useState(true);
  const numbers = versions.map(({ version }) => version).join(' ');
  const [facts] = useAnswer<(ModelFacts | null)[]>(
    () =>
      Promise.all(
        versions.map(({ name, version }) => manager.facts(name, version).catch(() => null))
      ),
    [numbers]
  );
  if (versions.length < 2) {
    return (
      <p className="jp-perijove-hint">
        {trans.__('Tick two or more versions in the table to see them side by side.')}
      </p>
    );
  }
  const all = differences(versions, facts ?? versions.map(() => null));
  const shown = onlyDifferences ? all.filter(line => line.differs) : all;
  const titles: Record<IDifference['group'], string> = {
    metrics: trans.__('Metrics'),
    params: trans.__('Parameters'),
    inputs: trans.__('Inputs'),
    outputs: trans.__('Outputs'),
    tags: trans.__('Tags')
  };
  return (
    <div className="jp-perijove-scroll">
      <label className="jp-perijove-only">
        <input
          type="checkbox"
          checked={onlyDifferences}
          onChange={event => setOnly(event.target.checked)}
        />{' '}
        {trans.__('Only what differs (%1 of %2)', all.filter(l => l.differs).length, all.length)}
      </label>
      <table className="jp-perijove-table jp-perijove-compare">
        <thead>
          <tr>
            <th />
            {versions.map(({ version, aliases }) => (
              <th key={version}>
                {trans.__('Version %1', version)}
                {aliases?.length ? <small> {aliases.join(', ')}</small> : null}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((line, index) => (
            <React.Fragment key={`${line.group} ${line.key}`}>
              {shown[index - 1]?.group !== line.group && (
                <tr className="jp-mod-group">
                  <th colSpan={versions.length + 1}>{titles[line.group]}</th>
                </tr>
              )}
              <tr className={line.differs ? 'jp-mod-differs' : ''}>
                <td>
                  <bdi>{line.key}</bdi>
                </td>
                {line.cells.map((cell, at) => (
                  <td
                    key={at}
                    className={line.best === at ? 'jp-mod-best' : ''}
                    title={line.best === at ? trans.__('the highest') : undefined}
                  >
                    <bdi>{cell}</bdi>
                  </td>
                ))}
              </tr>
            </React.Fragment>
          ))}
        </tbody>
      </table>
      {!shown.length && (
        <p className="jp-perijove-hint">{trans.__('They are alike in all that was logged.')}</p>
      )}
    </div>
  );
}
