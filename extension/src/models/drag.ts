/** A model that is dragged into a notebook becomes the cell that loads it. */
import { MimeData } from '@lumino/coreutils';
import { Drag } from '@lumino/dragdrop';

import { loadCode } from './format';
import { ModelManager } from './manager';

/** What JupyterLab's notebooks take when it is dropped on them. */
const CELLS = 'application/vnd.jupyter.cells';
/** Pixels that the mouse moves before it drags. */
const STEP = 5;

/** Begin to drag when the mouse that was pressed moves away; a click stays a click. */
export function dragModel(
  event: React.MouseEvent,
  manager: ModelManager,
  model: { name: string; version: string; uri: string }
): void {
  if (event.button !== 0) {
    return;
  }
  const { clientX, clientY } = event;
  const move = (moved: MouseEvent) => {
    if (Math.hypot(moved.clientX - clientX, moved.clientY - clientY) >= STEP) {
      stop();
      start(moved, manager, model);
    }
  };
  const stop = () => {
    document.removeEventListener('mousemove', move, true);
    document.removeEventListener('mouseup', stop, true);
  };
  document.addEventListener('mousemove', move, true);
  document.addEventListener('mouseup', stop, true);
}

function start(
  event: MouseEvent,
  manager: ModelManager,
  model: { name: string; version: string; uri: string }
): void {
  const cell = { cell_type: 'code', metadata: {}, outputs: [], source: loadCode(model.uri, null) };
  // what its flavour is, is mostly known before it is dropped
  manager.facts(model.name, model.version).then(
    facts => (cell.source = loadCode(model.uri, facts)),
    () => undefined
  );
  const mimeData = new MimeData();
  mimeData.setData(CELLS, [cell]);
  mimeData.setData('text/plain', cell.source);
  const dragImage = document.createElement('div');
  dragImage.className = 'jp-perijove-dragged';
  dragImage.textContent = model.uri;
  const drag = new Drag({
    mimeData,
    dragImage,
    supportedActions: 'copy',
    proposedAction: 'copy'
  });
  void drag.start(event.clientX, event.clientY).then(() => drag.dispose());
}
