/** A run in the main area: what it is, its metrics, its files, where it came from. */
import type { IThemeManager } from '@jupyterlab/apputils';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { CommandRegistry } from '@lumino/commands';
import * as React from 'react';

import type { Lineage, LineageNode, Run } from '../api';
import { useAnswer } from '../components/answer';
import { Artifacts } from '../components/artifacts';
import { useClock } from '../components/clock';
import { Document, DocumentView } from '../components/document';
import { runIcon } from '../components/icons';
import { LineageView } from '../components/lineage';
import { Link } from '../components/link';
import { Loading, LoadingLine } from '../components/loading';
import { Pill } from '../components/state';
import { TabBody, Tabs, type ITab } from '../components/tabs';
import type { ExperimentManager } from '../experiments/manager';
import { deleteRuns, guarded } from './actions';
import { Charts } from './charts';
import { ago, duration, statusText, tone, took } from './format';
import type { RunManager } from './manager';
import { Overview } from './overview';
import { Snippets } from './snippets';
import { CommandIDs } from './tokens';
import { useRun } from './userun';

export interface IRunOptions {
  runId: string;
  runs: RunManager;
  experiments: ExperimentManager;
  commands: CommandRegistry;
  rendermime: IRenderMimeRegistry;
  languages: IEditorLanguageRegistry;
  themes: IThemeManager | null;
  trans: TranslationBundle;
}

export class RunDocument extends Document<RunWidget> {
  constructor(options: IRunOptions) {
    const name = (run: Run) => {
      this.title.label = run.name;
      this.title.caption = `${run.name}: ${statusText(run.status, options.trans)}`;
    };
    super(new RunWidget(options, name), {
      id: `perijove-run-${options.runId}`,
      icon: runIcon,
      label: options.runId.slice(0, 8)
    });
  }

  get runId(): string {
    return this.content.options.runId;
  }
}

class RunWidget extends DocumentView {
  constructor(
    readonly options: IRunOptions,
    private _onRun: (run: Run) => void
  ) {
    super();
  }

  protected render(): React.ReactElement {
    return <View {...this.options} shown={this.isVisible} onRun={this._onRun} />;
  }
}

export interface IViewProps extends IRunOptions {
  shown: boolean;
}

type Tab = 'overview' | 'metrics' | 'artifacts' | 'lineage';

function View(props: IViewProps & { onRun(run: Run): void }): React.ReactElement {
  const { runs: manager, runId, trans, commands, shown } = props;
  const { runs, gone, error } = useRun(manager, runId, shown);
  const last = React.useRef<Run | null>(null);
  // what was read last stays when the run is gone
  const run = (last.current = runs[0] ?? last.current);
  const [tab, setTab] = React.useState<Tab>('overview');
  React.useEffect(() => {
    if (run) {
      props.onRun(run);
    }
  }, [run]);
  if (!run) {
    return gone.length ? (
      <div className="jp-perijove-empty">
        <h2>{trans.__('There is no such run')}</h2>
        <p>{trans.__('The run %1 was deleted for good.', runId)}</p>
      </div>
    ) : error ? (
      <div className="jp-perijove-empty" role="alert">
        <h2>{trans.__('The run cannot be read now')}</h2>
        <p>{error.text}</p>
      </div>
    ) : (
      <Loading trans={trans} />
    );
  }
  const restore = () => guarded(() => manager.restore([runId]));
  const isDeleted = run.lifecycle_stage === 'deleted';
  const tabs: ITab<Tab>[] = [
    { key: 'overview', label: trans.__('Overview') },
    {
      key: 'metrics',
      label: trans.__('Metrics'),
      count: Object.keys(run.metric_points ?? {}).length
    },
    { key: 'artifacts', label: trans.__('Artifacts') },
    { key: 'lineage', label: trans.__('Lineage') }
  ];
  return (
    <>
      <Header {...props} run={run} />
      {(gone.length > 0 || isDeleted || error) && (
        <div className="jp-perijove-banner jp-mod-top" role="alert">
          <span>
            {gone.length
              ? trans.__('This run was deleted for good; what you see is how it was last.')
              : isDeleted
                ? trans.__('This run was deleted.')
                : error!.text}
          </span>
          {isDeleted && !gone.length && (
            <button className="jp-Button jp-mod-styled" onClick={() => void restore()}>
              {trans.__('Restore')}
            </button>
          )}
        </div>
      )}
      <Tabs<Tab> tabs={tabs} current={tab} onChange={setTab} />
      <TabBody<Tab> tabs={tabs} current={tab}>
        {tab === 'overview' && <Overview {...props} run={run} />}
        {tab === 'metrics' && <Charts {...props} run={run} />}
        {tab === 'artifacts' && (
          <Artifacts
            load={(path, page) => manager.artifacts(runId, path, page)}
            preview={path => manager.preview(runId, path)}
            url={(path, download) => manager.fileUrl(runId, path, download)}
            version={`${run.status} ${run.logged_models?.length ?? 0}`}
            empty={trans.__('No artifacts. mlflow.log_artifact and log_model keep files here.')}
            rendermime={props.rendermime}
            languages={props.languages}
            trans={trans}
          />
        )}
        {tab === 'lineage' && <LineageTab {...props} run={run} commands={commands} />}
      </TabBody>
    </>
  );
}

function Header(props: IViewProps & { run: Run }): React.ReactElement {
  const { run, trans, commands, runs: manager } = props;
  const now = useClock(run.status === 'RUNNING' ? 1000 : 0);
  const seconds = took(run, now);
  const progress = [
    seconds === null ? '' : duration(seconds),
    run.started_at ? ago(run.started_at, trans, now) : ''
  ];
  const execute = (id: string, args: object) => void commands.execute(id, args as any);
  const facts: [string, React.ReactNode][] = [
    [
      trans.__('Experiment'),
      <Link
        key="experiment"
        onOpen={() => execute(CommandIDs.openRuns, { experimentIds: [run.experiment_id] })}
      >
        {run.experiment_name}
      </Link>
    ],
    [trans.__('User'), run.user],
    [
      trans.__('Source'),
      run.source &&
        run.source.split('/').pop() +
          (run.source_info?.commit ? ` @ ${run.source_info.commit.slice(0, 7)}` : '')
    ]
  ];
  const canRegister = commands.hasCommand(CommandIDs.registerModel);
  return (
    <div className="jp-perijove-title">
      <div>
        <h1 title={run.name}>
          <bdi>{run.name}</bdi>
        </h1>
        <Pill tone={tone(run.status)} label={statusText(run.status, trans)} />
        <span className="jp-perijove-count">{progress.filter(Boolean).join(' · ')}</span>
        <div className="jp-perijove-verbs">
          {run.job_id && (
            <>
              <button
                className="jp-Button jp-mod-styled jp-mod-minimal"
                onClick={() => execute('perijove:open-job', { jobId: run.job_id })}
              >
                {trans.__('Open job')}
              </button>
              <button
                className="jp-Button jp-mod-styled jp-mod-minimal"
                title={trans.__('Run it again, perhaps with other parameters')}
                onClick={() => execute('perijove:rerun-job', { jobId: run.job_id })}
              >
                {trans.__('Run again…')}
              </button>
            </>
          )}
          <Snippets run={run} trans={trans} />
          {run.lifecycle_stage === 'active' && (
            <button
              className="jp-Button jp-mod-styled jp-mod-minimal"
              onClick={() => void deleteRuns(manager, [run.run_id], trans)}
            >
              {trans.__('Delete')}
            </button>
          )}
          {canRegister && (
            <button
              className="jp-Button jp-mod-styled jp-mod-accept"
              onClick={() => execute(CommandIDs.registerModel, { runId: run.run_id })}
            >
              {trans.__('Register model…')}
            </button>
          )}
        </div>
      </div>
      <div className="jp-perijove-facts">
        {facts
          .filter(([, value]) => value)
          .map(([name, value]) => (
            <span key={name}>
              {name} <b>{value}</b>
            </span>
          ))}
      </div>
    </div>
  );
}

function LineageTab(props: IViewProps & { run: Run }): React.ReactElement {
  const { run, runs: manager, trans, commands } = props;
  const known = JSON.stringify([run.name, run.model_versions, run.datasets, run.logged_models]);
  const [lineage, error] = useAnswer<Lineage>(
    () => manager.lineage(run.run_id),
    [run.run_id, known],
    true
  );
  if (!lineage) {
    return error ? (
      <p className="jp-perijove-hint" role="alert">
        {error}
      </p>
    ) : (
      <LoadingLine trans={trans} />
    );
  }
  const target = ({ kind, ref }: LineageNode): [string, object] | null => {
    if (ref?.run_id && kind === 'run' && ref.run_id !== run.run_id) {
      return [CommandIDs.open, { runId: ref.run_id }];
    }
    if (ref?.name && kind === 'version') {
      return ['perijove:open-model', { name: ref.name, version: ref.version }];
    }
    return null;
  };
  return (
    <LineageView
      lineage={lineage}
      current={
        lineage.nodes.find(node => node.ref?.run_id === run.run_id && node.kind === 'run')?.id
      }
      canOpen={node => {
        const to = target(node);
        return to !== null && commands.hasCommand(to[0]);
      }}
      onOpen={node => {
        const to = target(node);
        if (to) {
          void commands.execute(to[0], to[1] as any);
        }
      }}
      trans={trans}
    />
  );
}
