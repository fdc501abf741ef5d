/** Asks before something that cannot be taken back. */
import { Dialog, showDialog } from '@jupyterlab/apputils';

/** The focus is on what changes nothing: Enter is next to the Delete key. */
export async function confirm(question: {
  title: string;
  body: string;
  accept: string;
  /** Without it, that of every dialog. */
  reject?: string;
}): Promise<boolean> {
  const { title, body, accept, reject } = question;
  const answer = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton({ label: reject }), Dialog.warnButton({ label: accept })],
    defaultButton: 0
  });
  return answer.button.accept;
}
