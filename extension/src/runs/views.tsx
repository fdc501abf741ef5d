/** Views of an experiment's runs that were saved under names. */
import { TranslationBundle } from '@jupyterlab/translation';
import { closeIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { ApiError, type RunsView } from '../api';
import type { ExperimentManager } from '../experiments/manager';
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
  const [error, setError] = React.useState<string | null>(null);
  const guarded = (answer: Promise<RunsView[]>) =>
    answer.then(
      found => {
        setViews(found);
        setError(null);
        return true;
      },
      reason => {
        setError(reason instanceof ApiError ? reason.text : String(reason));
        // somebody else may have changed them
        experiments.views(experimentId).then(setViews, () => undefined);
        return false;
      }
    );
  React.useEffect(() => void guarded(experiments.views(experimentId)), []);
  const isKnown = views?.some(view => view.name === name.trim());
  return (
    <div className="jp-perijove-views">
      <form
        onSubmit={event => {
          event.preventDefault();
          const view = { ...props.query, name: name.trim() };
          void guarded(experiments.saveView(experimentId, view)).then(done => done && setName(''));
        }}
      >
        <input
          className="jp-mod-styled"
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
            <button className="jp-perijove-link" onClick={() => props.onChoose(view)}>
              {view.name}
            </button>
            <button
              className="jp-perijove-row-action"
              title={trans.__('Delete view %1', view.name)}
              aria-label={trans.__('Delete view %1', view.name)}
              onClick={() => void guarded(experiments.deleteView(experimentId, view.name))}
            >
              <closeIcon.react tag="span" width="14px" height="14px" />
            </button>
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
