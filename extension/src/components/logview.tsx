/** The log as it grows. */
import { renderText } from '@jupyterlab/rendermime';
import { Sanitizer } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

/** Characters drawn; the file has all of them. */
const SHOWN = 400_000;

export function LogView(props: {
  text: string;
  active: boolean;
  trans: TranslationBundle;
}): React.ReactElement {
  const { text, trans } = props;
  const host = React.useRef<HTMLPreElement>(null);
  const scroller = React.useRef<HTMLDivElement>(null);
  const atEnd = React.useRef(true);
  React.useEffect(() => {
    const source = text.slice(-SHOWN);
    host.current!.replaceChildren(); // it adds to what is there
    void renderText({ host: host.current!, sanitizer: new Sanitizer(), source }).then(() => {
      if (atEnd.current && scroller.current) {
        scroller.current.scrollTop = scroller.current.scrollHeight;
      }
    });
  }, [text]);
  const onScroll = () => {
    const { scrollTop, scrollHeight, clientHeight } = scroller.current!;
    atEnd.current = scrollHeight - scrollTop - clientHeight < 20;
  };
  return (
    <div ref={scroller} className="jp-perijove-log" onScroll={onScroll} tabIndex={0}>
      {!text && (
        <p className="jp-perijove-hint">
          {props.active ? trans.__('Nothing was printed yet.') : trans.__('Nothing was printed.')}
        </p>
      )}
      {text.length > SHOWN && (
        <p className="jp-perijove-hint">
          {trans.__('The end of the log. All of it is in Files, logs/job.log.')}
        </p>
      )}
      <pre ref={host} />
    </div>
  );
}
