/** Ask which experiment's runs are meant. */
import { InputDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import type { ExperimentManager } from '../experiments/manager';

/** The id of the experiment that was chosen; none if the dialog was dismissed. */
export async function chooseExperiment(
  experiments: ExperimentManager,
  trans: TranslationBundle
): Promise<string[]> {
  await experiments.refresh();
  const known = experiments.items;
  const answer = await InputDialog.getItem({
    title: trans.__('Runs of which experiment?'),
    items: known.map(({ name }) => name),
    okLabel: trans.__('Open')
  });
  const chosen = known.find(({ name }) => answer.button.accept && name === answer.value);
  return chosen ? [chosen.id] : [];
}
