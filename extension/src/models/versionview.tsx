/** One version: what it takes and gives, what was measured, where it came from, its files. */
import { Clipboard, Notification } from '@jupyterlab/apputils';
import { copyIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { Lineage, LineageNode, ModelFacts, ModelVersion, SignatureColumn } from '../api';
import { useAnswer } from '../components/answer';
import { Artifacts } from '../components/artifacts';
import { LoadingLine } from '../components/loading';
import { Details } from '../components/details';
import { LineageView } from '../components/lineage';
import { Source } from '../components/rendered';
import { bytes } from '../components/size';
import { Description } from './description';
import type { IModelViewProps } from './document';
import { figure, loadCode, uriOf } from './format';
import { Tags } from './tags';

export function VersionView(
  props: IModelViewProps & { version: ModelVersion }
): React.ReactElement {
  const { manager, version, trans, commands } = props;
  const { name, version: number } = version;
  const [facts, problem] = useAnswer<ModelFacts>(() => manager.facts(name, number), [name, number]);
  const [lineage] = useAnswer<Lineage>(() => manager.lineage(name, number), [name, number]);
  const alias = version.aliases?.[0];
  const code = loadCode(uriOf(name, alias ? { alias } : { version: number }), facts);
  const run = version.run_id;
  const canOpen = ({ kind, ref }: LineageNode) =>
    kind === 'run' && Boolean(ref?.run_id) && commands.hasCommand('perijove:show-run');
  const copy = trans.__('Copy');
  return (
    <div className="jp-perijove-scroll jp-perijove-version">
      {problem && (
        <div className="jp-perijove-banner jp-mod-warn" role="alert">
          <span>{problem}</span>
        </div>
      )}
      {facts?.warnings?.map(warning => (
        <div key={warning} className="jp-perijove-banner jp-mod-warn" role="note">
          <span>{warning}</span>
        </div>
      ))}
      <Section title={trans.__('Description')}>
        <Description
          text={version.description ?? ''}
          rendermime={props.rendermime}
          trans={trans}
          onSave={description =>
            props.act(() => manager.changeVersion(name, number, { description }))
          }
        />
        <Tags
          tags={version.tags ?? {}}
          trans={trans}
          onChange={tags => props.act(() => manager.changeVersion(name, number, { tags }))}
        />
      </Section>
      <Section title={trans.__('Load it')}>
        <div className="jp-perijove-snippet">
          <Source source={code} language="python" languages={props.languages} />
          <button
            title={copy}
            aria-label={copy}
            onClick={() => {
              Clipboard.copyToSystem(code);
              Notification.info(trans.__('Copied.'), { autoClose: 2000 });
            }}
          >
            <copyIcon.react tag="span" width="14px" height="14px" />
          </button>
        </div>
      </Section>
      <div className="jp-perijove-columns">
        <Section title={trans.__('Signature')}>
          {facts && hasSignature(facts) ? (
            <>
              <Columns title={trans.__('Inputs')} columns={facts.inputs ?? []} />
              <Columns title={trans.__('Outputs')} columns={facts.outputs ?? []} />
              <Columns title={trans.__('Parameters')} columns={facts.parameters ?? []} />
            </>
          ) : facts || problem ? (
            <p className="jp-perijove-hint">
              {facts
                ? trans.__('None was logged: pass input_example or signature to log_model.')
                : trans.__('It is in the files, which cannot be read.')}
            </p>
          ) : (
            <LoadingLine trans={trans} />
          )}
          {facts?.input_example !== null && facts?.input_example !== undefined && (
            <>
              <h3>{trans.__('Input example')}</h3>
              <Source
                source={JSON.stringify(facts.input_example, null, 1)}
                language="json"
                languages={props.languages}
              />
            </>
          )}
        </Section>
        <Section title={trans.__('About')}>
          <Details
            rows={[
              [trans.__('Aliases'), version.aliases?.length ? version.aliases.join(', ') : null],
              [trans.__('Flavors'), facts && Object.keys(facts.flavors ?? {}).join(', ')],
              [
                trans.__('Created'),
                version.created_at && new Date(version.created_at).toLocaleString()
              ],
              [trans.__('By'), version.user],
              [
                trans.__('Run'),
                run && (
                  <button
                    className="jp-perijove-link"
                    onClick={() => void commands.execute('perijove:show-run', { runId: run })}
                  >
                    <bdi>{version.run_name ?? run}</bdi>
                  </button>
                )
              ],
              [trans.__('Logged model'), version.model_id],
              [
                trans.__('Size'),
                facts &&
                  `${bytes(facts.size ?? 0)} · ${trans._n('%1 file', '%1 files', facts.files ?? 0)}`
              ],
              [trans.__('Python'), facts?.python],
              [trans.__('MLflow'), facts?.mlflow],
              [
                trans.__('Requirements'),
                facts?.requirements?.length ? (
                  <span className="jp-perijove-requirements">{facts.requirements.join('\n')}</span>
                ) : null
              ]
            ]}
          />
        </Section>
        <Section title={trans.__('Metrics')}>
          <Pairs
            pairs={Object.entries(version.metrics ?? {})
              .filter(([key]) => !key.startsWith('system/'))
              .map(([key, value]) => [key, figure(value)])}
            none={trans.__('None were logged.')}
          />
        </Section>
        <Section title={trans.__('Parameters')}>
          <Pairs
            pairs={Object.entries(version.params ?? {})}
            none={trans.__('None were logged.')}
          />
        </Section>
      </div>
      <Section title={trans.__('Lineage')}>
        {lineage && (
          <LineageView
            lineage={lineage}
            current="version"
            canOpen={canOpen}
            onOpen={node =>
              void commands.execute('perijove:show-run', { runId: node.ref?.run_id ?? '' })
            }
            trans={trans}
          />
        )}
      </Section>
      <Section title={trans.__('Files')}>
        <Artifacts
          key={number}
          load={path => manager.files(name, number, path)}
          preview={path => manager.preview(name, number, path)}
          url={(path, download) => manager.fileUrl(name, number, path, download)}
          version={number}
          empty={trans.__('It has no files.')}
          rendermime={props.rendermime}
          languages={props.languages}
          trans={trans}
        />
      </Section>
    </div>
  );
}

function Section(props: { title: string; children: React.ReactNode }): React.ReactElement {
  return (
    <section className="jp-perijove-part">
      <h2>{props.title}</h2>
      {props.children}
    </section>
  );
}

function Columns(props: { title: string; columns: SignatureColumn[] }): React.ReactElement | null {
  if (!props.columns.length) {
    return null;
  }
  return (
    <>
      <h3>{props.title}</h3>
      <dl className="jp-perijove-details">
        {props.columns.map((column, index) => (
          <React.Fragment key={index}>
            <dt>
              <bdi>{column.name ?? `#${index}`}</bdi>
            </dt>
            <dd>
              {column.type}
              {column.shape ? ` (${column.shape.join(', ')})` : ''}
              {column.required === false ? '?' : ''}
            </dd>
          </React.Fragment>
        ))}
      </dl>
    </>
  );
}

function Pairs(props: { pairs: [string, string][]; none: string }): React.ReactElement {
  return props.pairs.length ? (
    <Details rows={props.pairs.map(([key, value]) => [key, <bdi key={key}>{value}</bdi>])} />
  ) : (
    <p className="jp-perijove-hint">{props.none}</p>
  );
}

function hasSignature(facts: ModelFacts): boolean {
  return Boolean(facts.inputs?.length || facts.outputs?.length || facts.parameters?.length);
}
