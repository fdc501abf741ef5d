/** A terminal with a shell on a machine. As long as the shell is there the machine is in use. */
import type { MainAreaWidget } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import type { CommandRegistry } from '@lumino/commands';

import { NEW_TERMINAL } from './tokens';

/** The little that is needed of JupyterLab's terminals: its own package is large. */
interface ITerminal {
  session: { send(message: { type: 'stdin'; content: string[] }): void };
}

/** Open it. The session keeps what is sent until it is connected. */
export async function openTerminal(commands: CommandRegistry, name: string): Promise<void> {
  const widget = (await commands.execute(NEW_TERMINAL)) as MainAreaWidget;
  const { session } = widget.content as unknown as ITerminal;
  const command = PageConfig.getOption('perijoveCommand') || 'perijove';
  session.send({ type: 'stdin', content: [`${command} compute connect ${name}\r`] });
}
