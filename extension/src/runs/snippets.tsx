/** Lines of code that load what a run left. */
import { Clipboard, Notification } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import type { Run } from '../api';
import { Popover } from '../components/popover';
import { mlflowCode } from '../kernels/tracked';

/** What each is, and the code. */
export function snippetsOf(run: Run, trans: TranslationBundle): [string, string][] {
  const id = JSON.stringify(run.run_id);
  const models = (run.logged_models ?? []).filter(({ status }) => status === 'READY');
  const found: [string, string][] = models.map(model => [
    trans.__('Load model %1', model.name),
    mlflowCode(`model = mlflow.pyfunc.load_model("models:/${model.model_id}")`)
  ]);
  found.push(
    [trans.__('This run'), `import perijove as pj\n\nrun = pj.Workspace().runs.get(${id})`],
    [trans.__("This run, with MLflow's client"), mlflowCode(`run = mlflow.get_run(${id})`)],
    [
      trans.__('Download its artifacts'),
      mlflowCode(`folder = mlflow.artifacts.download_artifacts(run_id=${id})`)
    ]
  );
  return found;
}

export function Snippets(props: { run: Run; trans: TranslationBundle }): React.ReactElement {
  const { run, trans } = props;
  return (
    <Popover label={trans.__('Copy code')}>
      {close => (
        <ul className="jp-perijove-menu">
          {snippetsOf(run, trans).map(([label, code]) => (
            <li key={code}>
              <button
                className="jp-perijove-link"
                title={code}
                onClick={() => {
                  Clipboard.copyToSystem(code);
                  Notification.info(trans.__('Copied: %1', label), { autoClose: 2000 });
                  close();
                }}
              >
                {label}
              </button>
            </li>
          ))}
        </ul>
      )}
    </Popover>
  );
}
