/** Views of an experiment's runs that were saved under names. */
import { Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon, editIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { RunsView, TrackingChange } from '../api';
import { refusal } from '../components/dialog';
import { onEscape } from '../components/escape';
import { LoadingLine } from '../components/loading';
import type { ExperimentManager } from '../experiments/manager';
import { guarded } from './actions';
import { concerns } from './manager';
import type { Query } from './question';

export function Views(props: {
  experiments: ExperimentManager;
  experimentId: string;
  /** What would be saved. */
  query: Query;
  trans: TranslationBundle;
  onChoose(view: RunsView): void;
}): React.ReactElement {
  const { experiments, experimentId, trans } = props;
  const [views, setViews] = React.useState<RunsView[] | null>(null);
  const [name, setName] = React.useState('');
  const [renamed, setRenamed] = React.useState<string | null>(null);
  const [error, setError] = React.useState<string | null>(null);
  const asked = React.useRef(0);
  /** The views as the last question found them: an earlier answer may come after it. */
  const shown = (answer: Promise<RunsView[]>) => {
    const question = ++asked.current;
    return answer.then(found => question === asked.current && setViews(found));
  };
  const listed = (answer: Promise<RunsView[]>) =>
    shown(answer).then(
      () => {
        setError(null);
        return true;
      },
      reason => {
        setError(refusal(reason).text);
        again();
        return false;
      }
    );
  /** As they are now, where somebody else changed them, or an undo. */
  const again = () => void shown(experiments.views(experimentId)).catch(() => undefined);
  React.useEffect(() => {
    const onTouched = (_: ExperimentManager, change: TrackingChange) => {
      if (concerns(change, [experimentId], [])) {
        again();
      }
    };
    experiments.touched.connect(onTouched);
    void listed(experiments.views(experimentId));
    return () => void experiments.touched.disconnect(onTouched);
  }, []);
  const host = React.useRef<HTMLDivElement>(null);
  const isKnown = views?.some(view => view.name === name.trim());
  /** What had the focus is gone: it stays in the panel. */
  const stay = () => host.current?.focus();
  /** Under its name, or, where there is another one of that name by now, a new one. */
  const bringBack = async (view: RunsView) => {
    const taken = new Set((await experiments.views(experimentId)).map(({ name }) => name));
    let name = view.name;
    for (let number = 2; taken.has(name); number++) {
      name = `${view.name} (${number})`;
    }
    await experiments.saveView(experimentId, { ...view, name });
    if (name !== view.name) {
      Notification.info(
        trans.__('The view is called %1 now: there is another %2.', name, view.name),
        {
          autoClose: 10000
        }
      );
    }
  };
  const remove = async (view: RunsView) => {
    const isDone = await listed(experiments.deleteView(experimentId, view.name));
    stay();
    if (isDone) {
      Notification.info(trans.__('View %1 was deleted.', view.name), {
        autoClose: 10000,
        actions: [
          {
            label: trans.__('Undo'),
            callback: () => void guarded(() => bringBack(view))
          }
        ]
      });
    }
  };
  const stopRenaming = () => {
    setRenamed(null);
    stay();
  };
  if (!views && !error) {
    return <LoadingLine trans={trans} />;
  }
  return (
    <div ref={host} className="jp-perijove-views" tabIndex={-1}>
      <form
        onSubmit={event => {
          event.preventDefault();
          const view = { ...props.query, name: name.trim() };
          void listed(experiments.saveView(experimentId, view)).then(done => done && setName(''));
        }}
      >
        <input
          className="jp-mod-styled"
          autoFocus
          placeholder={trans.__('Name of this view')}
          aria-label={trans.__('Name of this view')}
          value={name}
          onChange={event => setName(event.target.value)}
        />
        <button className="jp-Button jp-mod-styled jp-mod-accept" disabled={!name.trim()}>
          {isKnown ? trans.__('Replace') : trans.__('Save')}
        </button>
      </form>
      {error && (
        <p className="jp-perijove-error" role="alert">
          {error}
        </p>
      )}
      <ul>
        {views?.map(view => (
          <li key={view.name}>
            {view.name === renamed ? (
              <NameForm
                name={view.name}
                trans={trans}
                onCancel={stopRenaming}
                onName={wanted =>
                  void listed(experiments.renameView(experimentId, view.name, wanted)).then(
                    done => done && stopRenaming()
                  )
                }
              />
            ) : (
              <>
                <button
                  className="jp-perijove-link"
                  title={view.name}
                  onClick={() => props.onChoose(view)}
                >
                  <bdi>{view.name}</bdi>
                </button>
                <button
                  className="jp-perijove-row-action"
                  title={trans.__('Rename view %1', view.name)}
                  aria-label={trans.__('Rename view %1', view.name)}
                  onClick={() => setRenamed(view.name)}
                >
                  <editIcon.react tag="span" width="14px" height="14px" />
                </button>
                <button
                  className="jp-perijove-row-action"
                  title={trans.__('Delete view %1', view.name)}
                  aria-label={trans.__('Delete view %1', view.name)}
                  onClick={() => void remove(view)}
                >
                  <closeIcon.react tag="span" width="14px" height="14px" />
                </button>
              </>
            )}
          </li>
        ))}
      </ul>
      {views?.length === 0 && (
        <p className="jp-perijove-hint">
          {trans.__('A view keeps the columns, the filter and the order for everybody.')}
        </p>
      )}
    </div>
  );
}

/** A name in place: Enter keeps it, Escape leaves it as it was. */
function NameForm(props: {
  name: string;
  trans: TranslationBundle;
  onName(name: string): void;
  onCancel(): void;
}): React.ReactElement {
  const { trans } = props;
  const [name, setName] = React.useState(props.name);
  const wanted = name.trim();
  return (
    <form
      onSubmit={event => {
        event.preventDefault();
        props.onName(wanted);
      }}
      onKeyDown={onEscape(props.onCancel)}
    >
      <input
        className="jp-mod-styled"
        autoFocus
        aria-label={trans.__('New name of view %1', props.name)}
        value={name}
        onChange={event => setName(event.target.value)}
        onFocus={event => event.target.select()}
      />
      <button className="jp-Button jp-mod-styled jp-mod-accept" disabled={!wanted}>
        {trans.__('Rename')}
      </button>
    </form>
  );
}
