/** What JupyterLab renders, inside React: source text, Markdown, outputs. Nothing here is trusted. */
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import type { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import { IRenderMimeRegistry, MimeModel } from '@jupyterlab/rendermime';
import { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';
import * as React from 'react';

export function Source(props: {
  source: string;
  language: string;
  languages: IEditorLanguageRegistry;
}): React.ReactElement {
  const host = React.useRef<HTMLPreElement>(null);
  // before it is painted: it has its height when it is scrolled to
  React.useLayoutEffect(() => {
    const element = host.current!;
    const language = props.languages.findByName(props.language);
    element.textContent = props.source;
    if (language) {
      const drawn = document.createElement('pre');
      void props.languages
        .highlight(props.source, language, drawn)
        .then(() => element.replaceChildren(...drawn.childNodes));
    }
  }, [props.source, props.language]);
  return <pre ref={host} className="jp-perijove-source cm-editor" />;
}

export function Markdown(props: {
  source: string;
  rendermime: IRenderMimeRegistry;
  trans: TranslationBundle;
}): React.ReactElement {
  return (
    <Mounted
      trans={props.trans}
      make={() => {
        const renderer = props.rendermime.createRenderer('text/markdown');
        const model = new MimeModel({ data: { 'text/markdown': props.source }, trusted: false });
        void renderer.renderModel(model);
        return renderer;
      }}
      deps={[props.source]}
    />
  );
}

export function Outputs(props: {
  outputs: IOutput[];
  version: number;
  rendermime: IRenderMimeRegistry;
  trans: TranslationBundle;
}): React.ReactElement {
  const model = React.useRef<OutputAreaModel | null>(null);
  React.useEffect(() => {
    model.current?.fromJSON(props.outputs);
  }, [props.version]);
  return (
    <Mounted
      trans={props.trans}
      make={() => {
        // what a job put out is shown as a notebook of somebody else's is: sanitised
        model.current = new OutputAreaModel({ trusted: false, values: props.outputs });
        return new SimplifiedOutputArea({ model: model.current, rendermime: props.rendermime });
      }}
      deps={[]}
    />
  );
}

/** A Lumino widget inside React. */
function Mounted(props: {
  make(): Widget;
  deps: unknown[];
  trans: TranslationBundle;
}): React.ReactElement {
  const host = React.useRef<HTMLDivElement>(null);
  React.useLayoutEffect(() => {
    const element = host.current!;
    const say = ({ target }: Event) => sayNotLoaded(target, props.trans);
    // it does not bubble
    element.addEventListener('error', say, true);
    return () => element.removeEventListener('error', say, true);
  }, []);
  // a layout effect is undone while its element is still in the page, as detaching needs
  React.useLayoutEffect(() => {
    const widget = props.make();
    Widget.attach(widget, host.current!);
    return () => {
      if (widget.isAttached) {
        Widget.detach(widget);
      }
      widget.dispose();
    };
  }, props.deps);
  return <div ref={host} />;
}

/** In the place of an image that cannot be had: what it would have shown, and that it is missing. */
function sayNotLoaded(image: EventTarget | null, trans: TranslationBundle): void {
  if (image instanceof HTMLImageElement) {
    const said = document.createElement('span');
    said.className = 'jp-perijove-none';
    said.title = image.src;
    said.textContent = image.alt
      ? trans.__('[image not loaded: %1]', image.alt)
      : trans.__('[image not loaded]');
    image.replaceWith(said);
  }
}
