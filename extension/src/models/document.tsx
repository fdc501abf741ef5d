/** A registered model in the main area: its versions, one of them, and several side by side. */
import { MainAreaWidget, ReactWidget } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import { Signal } from '@lumino/signaling';
import * as React from 'react';

import { ApiError, type ModelVersion, type RegisteredModel } from '../api';
import { useClock } from '../components/clock';
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
import { VersionsTable } from './versionstable';
import { VersionView } from './versionview';

/** Milliseconds between tries while MLflow is away. */
const RETRY = 3000;

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
export class ModelDocument extends MainAreaWidget<ModelWidget> {
  constructor(options: IModelDocumentOptions) {
    super({ content: new ModelWidget(options) });
    this.id = `perijove-model-${options.name}`;
    this.title.icon = modelIcon;
    this.title.closable = true;
    this.title.label = options.name;
    this.title.caption = options.trans.__('Registered model %1', options.name);
    this.toolbar.hide();
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

class ModelWidget extends ReactWidget {
  constructor(readonly options: IModelDocumentOptions) {
    super();
    this.addClass('jp-perijove-document');
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
        <span className="jp-perijove-spacer" />
        <div className="jp-perijove-actions">
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

/** The model and its versions, read again when they change, and while MLflow is away. */
function useModel(
  manager: ModelManager,
  name: string
): {
  model: RegisteredModel | null;
  versions: readonly ModelVersion[];
  problem: string | null;
  isGone: boolean;
} {
  const [state, setState] = React.useState({
    model: null as RegisteredModel | null,
    versions: [] as readonly ModelVersion[],
    problem: null as string | null,
    isGone: false
  });
  React.useEffect(() => {
    let isLeft = false;
    let timer = 0;
    let asked = 0;
    const read = async () => {
      window.clearTimeout(timer);
      const mine = ++asked;
      try {
        const [model, versions] = await Promise.all([manager.read(name), manager.versions(name)]);
        if (!isLeft && mine === asked) {
          setState({ model, versions, problem: null, isGone: false });
        }
      } catch (error) {
        if (isLeft || mine !== asked) {
          return;
        }
        if (error instanceof ApiError && error.status === 404) {
          setState(known => ({ ...known, isGone: true }));
          return;
        }
        const problem = error instanceof ApiError ? error.text : String(error);
        setState(known => ({ ...known, problem }));
        timer = window.setTimeout(() => void read(), RETRY);
      }
    };
    const slot = (_: unknown, changed: string | null) => {
      if (changed === null || changed === name) {
        void read();
      }
    };
    manager.modelChanged.connect(slot);
    void read();
    return () => {
      isLeft = true;
      window.clearTimeout(timer);
      manager.modelChanged.disconnect(slot);
    };
  }, [manager, name]);
  return state;
}

function toggled(set: ReadonlySet<string>, item: string): ReadonlySet<string> {
  const made = new Set(set);
  if (!made.delete(item)) {
    made.add(item);
  }
  return made;
}
