/** The registered models, the versions of one, and what a version takes and gives. */
import * as React from 'react';

import type { Lineage, ModelFacts, ModelVersion, RegisteredModel } from '../api';
import { chosenBy } from '../components/chosen';
import { Details } from '../components/details';
import { LineageView as Picture } from '../components/lineage';
import { ago } from '../jobs/format';
import { Markdown } from './markdown';
import { useTrait } from './model';
import { trans } from './trans';
import { valueText } from './values';

interface IData {
  models: RegisteredModel[];
  versions: ModelVersion[];
  facts: ModelFacts | null;
}

/** Figures of a version in its line. */
const FEW = 3;

export function ModelRegistry(): React.ReactElement {
  const [{ models, versions, facts }] = useTrait<IData>('data');
  const [model, setModel] = useTrait<string>('model');
  const [version, setVersion] = useTrait<string>('version');
  const about = models.find(each => each.name === model)?.description;
  const chosen = versions.find(each => each.version === version);
  if (!models.length) {
    return (
      <p className="jp-perijove-hint">
        {trans.__('No models are registered yet: mlflow.register_model, or Register in a run.')}
      </p>
    );
  }
  return (
    <div className="jp-perijove-registry">
      <div className="jp-perijove-jobs" role="listbox" aria-label={trans.__('Models')}>
        {models.map(each => (
          <div
            key={each.name}
            role="option"
            tabIndex={0}
            aria-selected={each.name === model}
            className={`jp-perijove-row${each.name === model ? ' jp-mod-selected' : ''}`}
            {...chosenBy(() => setModel(each.name))}
          >
            <div className="jp-perijove-row-text">
              <span className="jp-perijove-row-name">
                <bdi>{each.name}</bdi>
              </span>
              <span className="jp-perijove-row-summary">
                {trans._n('%1 version', '%1 versions', each.versions)}
                {each.updated_at ? ` · ${ago(each.updated_at, trans)}` : ''}
              </span>
            </div>
            <Badges aliases={(each.aliases ?? []).map(one => `${one.alias} → ${one.version}`)} />
          </div>
        ))}
      </div>
      {model && (
        <div className="jp-perijove-runs">
          {about && <Markdown source={about} />}
          <table className="jp-perijove-run-table">
            <thead>
              <tr>
                <th>{trans.__('version')}</th>
                <th>{trans.__('registered')}</th>
                <th>{trans.__('run')}</th>
                <th>{trans.__('metrics')}</th>
              </tr>
            </thead>
            <tbody>
              {versions.map(each => (
                <tr
                  key={each.version}
                  tabIndex={0}
                  aria-selected={each.version === version}
                  className={each.version === version ? 'jp-mod-selected' : ''}
                  {...chosenBy(() => setVersion(each.version))}
                >
                  <td>
                    {each.version} {each.archived && <small>{trans.__('archived')}</small>}{' '}
                    <Badges aliases={each.aliases ?? []} />
                  </td>
                  <td>{each.created_at ? ago(each.created_at, trans) : '–'}</td>
                  <td>{each.run_name ?? '–'}</td>
                  <td>
                    {Object.entries(each.metrics ?? {})
                      .slice(0, FEW)
                      .map(([key, value]) => `${key} ${valueText(value)}`)
                      .join(' · ')}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          {chosen?.description && <Markdown source={chosen.description} />}
          {facts && <Facts facts={facts} />}
        </div>
      )}
    </div>
  );
}

export function Badges({ aliases }: { aliases: string[] }): React.ReactElement {
  return (
    <>
      {aliases.map(alias => (
        <span key={alias} className="jp-perijove-badge">
          {alias}
        </span>
      ))}
    </>
  );
}

function Facts({ facts }: { facts: ModelFacts }): React.ReactElement {
  const columns = (found: ModelFacts['inputs']) =>
    (found ?? []).map(each => (each.name ? `${each.name}: ${each.type}` : each.type)).join(', ');
  return (
    <>
      {(facts.warnings ?? []).map(warning => (
        <div key={warning} className="jp-perijove-broken">
          {warning}
        </div>
      ))}
      <Details
        rows={[
          [trans.__('Takes'), columns(facts.inputs)],
          [trans.__('Gives'), columns(facts.outputs)],
          [trans.__('Flavours'), Object.keys(facts.flavors ?? {}).join(', ')],
          [trans.__('Python'), facts.python],
          [trans.__('Requirements'), (facts.requirements ?? []).join(', ')]
        ]}
      />
    </>
  );
}

export function LineageView(): React.ReactElement {
  const [lineage] = useTrait<Lineage>('data');
  if (!lineage.nodes.length) {
    return <p className="jp-perijove-hint">{trans.__('Select a version.')}</p>;
  }
  return <Picture lineage={lineage} canOpen={() => false} onOpen={() => undefined} trans={trans} />;
}
