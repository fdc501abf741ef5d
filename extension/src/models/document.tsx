/** A registered model in the main area: its versions, one of them, and several side by side. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import type { ModelVersion, RegisteredModel } from '../api';
import { useClock } from '../components/clock';
import { Document, DocumentView } from '../components/document';
import { modelIcon } from '../components/icons';
import { Loading } from '../components/loading';
import { TabBody, Tabs, type ITab } from '../components/tabs';
import { guarded } from './actions';
import { moveAlias } from './aliasform';
import { Badge } from './badges';
import { CompareView } from './compareview';
import { Description } from './description';
import { ModelManager } from './manager';
import { Tags } from './tags';
import { CommandIDs } from './tokens';
import { useModel } from './usemodel';
import { VersionsTable } from './versionstable';
import { VersionView } from './versionview';

export interface IModelDocumentOptions {
  name: string;
  manager: ModelManager;
  commands: CommandRegistry;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  trans: TranslationBundle;
}

export interface IModelViewProps extends IModelDocumentOptions {
  /** Do it, and say in a dialog why it was refused; whether it was done. */
  act(work: () => Promise<unknown>): Promise<boolean>;
}

/** The document of a model, as JupyterLab's shell has it. */
export class ModelDocument extends Document<ModelWidget> {
  constructor(options: IModelDocumentOptions) {
    const { name, trans } = options;
    super(new ModelWidget(options), {
      id: `perijove-model-${name}`,
      icon: modelIcon,
      label: name,
      caption: trans.__('Registered model %1', name)
    });
  }

  get name(): string {
    return this.content.options.name;
  }

  /** The version that is shown, if it is one. */
  get version(): string | null {
    return this.content.version;
  }

  /** Show one of its versions. */
  showVersion(version: string): void {
    this.content.showVersion(version);
  }
}

class ModelWidget extends DocumentView {
  constructor(readonly options: IModelDocumentOptions) {
    super();
  }

  readonly wanted = new Signal<this, string>(this);
  version: string | null = null;

  showVersion(version: string): void {
    this.version = version;
    this.wanted.emit(version);
  }

  dispose(): void {
    if (!this.isDisposed) {
      Signal.clearData(this);
      super.dispose();
    }
  }

  protected render(): React.ReactElement {
    return <View {...this.options} widget={this} />;
  }
}

type Tab = 'versions' | 'version' | 'compare';

function View(props: IModelDocumentOptions & { widget: ModelWidget }): React.ReactElement {
  const { manager, name, commands, trans, widget } = props;
  const now = useClock(60_000);
  const { model, versions, problem, isGone } = useModel(manager, name);
  const [tab, setTab] = React.useState<Tab>(widget.version ? 'version' : 'versions');
  const [chosen, setChosen] = React.useState<string | null>(widget.version);
  const [checked, setChecked] = React.useState<ReadonlySet<string>>(new Set());
  React.useEffect(() => {
    const slot = (_: unknown, version: string) => {
      setChosen(version);
      setTab('version');
    };
    widget.wanted.connect(slot);
    return () => void widget.wanted.disconnect(slot);
  }, [widget]);
  if (isGone) {
    return (
      <div className="jp-perijove-empty">
        <h2>{trans.__('This model was deleted or renamed')}</h2>
        <p>{trans.__('The runs that its versions came from are kept.')}</p>
      </div>
    );
  }
  if (!model) {
    return problem ? (
      <div className="jp-perijove-empty" role="alert">
        <h2>{trans.__('The model cannot be shown now')}</h2>
        <p>{problem}</p>
      </div>
    ) : (
      <Loading trans={trans} />
    );
  }
  const act = async (work: () => Promise<unknown>) => {
    let isDone = false;
    await guarded(name, async () => {
      await work();
      isDone = true;
    });
    return isDone;
  };
  const view: IModelViewProps = { ...props, act };
  const latest = versions.find(one => !one.archived) ?? versions[0];
  const one = versions.find(({ version }) => version === chosen) ?? latest;
  const compared = versions.filter(({ version }) => checked.has(version));
  const tabs: ITab<Tab>[] = [
    { key: 'versions', label: trans.__('Versions'), count: versions.length },
    ...(one ? [{ key: 'version' as Tab, label: trans.__('Version %1', one.version) }] : []),
    ...(versions.length > 1
      ? [{ key: 'compare' as Tab, label: trans.__('Compare'), count: compared.length }]
      : [])
  ];
  const openVersion = (version: string) => {
    widget.version = version;
    setChosen(version);
    setTab('version');
  };
  const alias = (version: string, name?: string) =>
    void moveAlias({ manager, model, versions, version, alias: name, trans });
  return (
    <>
      <Header
        {...view}
        model={model}
        version={tab === 'version' ? one : undefined}
        onAlias={alias}
        latest={latest}
      />
      {problem && (
        <div className="jp-perijove-banner" role="alert">
          <span>
            {problem} {trans.__('What is shown is as it was last.')}
          </span>
        </div>
      )}
      <Tabs<Tab> tabs={tabs} current={tab} onChange={setTab} />
      <TabBody<Tab> tabs={tabs} current={tab}>
        {tab === 'versions' && (
          <div className="jp-perijove-scroll">
            <Description
              text={model.description ?? ''}
              rendermime={props.rendermime}
              trans={trans}
              onSave={description => act(() => manager.change(name, { description }))}
            />
            <Tags
              tags={model.tags ?? {}}
              trans={trans}
              onChange={tags => act(() => manager.change(name, { tags }))}
            />
            {versions.length ? (
              <VersionsTable
                model={model}
                versions={versions}
                checked={checked}
                now={now}
                trans={trans}
                onCheck={version => setChecked(toggled(checked, version))}
                onOpen={openVersion}
                onOpenRun={runId => void commands.execute('perijove:show-run', { runId })}
                onAlias={(alias_, version) => alias(version, alias_)}
              />
            ) : (
              <p className="jp-perijove-hint">
                {trans.__('It has no versions yet: register one with the button above.')}
              </p>
            )}
          </div>
        )}
        {tab === 'version' && one && <VersionView key={one.version} {...view} version={one} />}
        {tab === 'compare' && <CompareView {...view} versions={compared} />}
      </TabBody>
    </>
  );
}

function Header(
  props: IModelViewProps & {
    model: RegisteredModel;
    /** The one that is shown. */
    version?: ModelVersion;
    latest?: ModelVersion;
    onAlias(version: string, alias?: string): void;
  }
): React.ReactElement {
  const { model, version, latest, trans, commands } = props;
  const name = model.name;
  const args = version ? { name, version: version.version } : { name };
  const isArchived = version ? version.archived : model.archived;
  const button = (label: string, act: () => unknown, kind = 'jp-mod-minimal') => (
    <button className={`jp-Button jp-mod-styled ${kind}`} onClick={() => void act()}>
      {label}
    </button>
  );
  const execute = (id: string) => () => commands.execute(id, args);
  return (
    <div className="jp-perijove-title">
      <div>
        <h1 title={name}>
          <bdi>{name}</bdi>
        </h1>
        <span className="jp-perijove-badges">
          {model.aliases?.map(alias => (
            <Badge
              key={alias.alias}
              alias={alias}
              version={true}
              trans={trans}
              onClick={() => props.onAlias(alias.version, alias.alias)}
            />
          ))}
        </span>
        {isArchived && <span className="jp-perijove-count">{trans.__('archived')}</span>}
        <div className="jp-perijove-verbs">
          {button(trans.__('Delete…'), execute(CommandIDs.remove))}
          {button(
            isArchived ? trans.__('Unarchive') : trans.__('Archive'),
            execute(CommandIDs.archive)
          )}
          {!version && button(trans.__('Rename…'), execute(CommandIDs.rename))}
          {version && button(trans.__('Download'), execute(CommandIDs.download))}
          {latest &&
            button(trans.__('Set alias…'), () => props.onAlias((version ?? latest).version))}
          {button(
            trans.__('Register version…'),
            () => commands.execute(CommandIDs.register, { name }),
            'jp-mod-accept'
          )}
        </div>
      </div>
    </div>
  );
}

function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const made = new Set(set);
  if (!made.delete(item)) {
    made.add(item);
  }
  return made;
}
