import { Signal } from '@lumino/signaling';

import { followChanges } from '../drive/changes';

describe('the file browser of an instance', () => {
  it('lists a folder of it again when something there is another one', () => {
    const contents = {} as { fileChanged: Signal<any, any> };
    contents.fileChanged = new Signal(contents);
    const listed: string[] = [];
    const model = (path: string) => ({ path, refresh: async () => void listed.push(path) });
    followChanges(contents as any, () => [model('box:'), model('box:work'), model('farm:work')]);

    contents.fileChanged.emit({ type: 'delete', oldValue: { path: 'box:work/a.txt' } });
    expect(listed.splice(0)).toEqual(['box:work']);
    contents.fileChanged.emit({
      type: 'rename',
      oldValue: { path: 'farm:work/a.txt' },
      newValue: { path: 'farm:other/a.txt' }
    });
    expect(listed.splice(0)).toEqual(['farm:work']);
    contents.fileChanged.emit({ type: 'new', oldValue: null, newValue: { path: 'work/a.txt' } });
    expect(listed).toEqual([]);
  });
});
