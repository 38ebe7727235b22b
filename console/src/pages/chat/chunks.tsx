import { type ReactNode, type RefObject, useEffect, useRef, useState } from "react";

const SIZE = 8;
const MARGIN = "1500px 0px";

/** Items in chunks, of which only those near what is in view are made: a conversation of thousands of turns scrolls as one of ten. */
export function Chunks<T>({ items, item, root }: { items: readonly T[]; item: (one: T) => ReactNode; root: RefObject<HTMLElement | null> }) {
  const chunks: ReactNode[] = [];
  // Cut from the newest on, so that what is loaded before them leaves the others as they are.
  for (let end = items.length, number = 0; end > 0; end -= SIZE, number++) {
    const inside = items.slice(Math.max(0, end - SIZE), end);
    chunks.unshift(
      <Chunk key={number} root={root}>
        {inside.map(item)}
      </Chunk>,
    );
  }
  return <>{chunks}</>;
}

function Chunk({ children, root }: { children: ReactNode; root: RefObject<HTMLElement | null> }) {
  const box = useRef<HTMLDivElement>(null);
  const height = useRef(0);
  const [isNear, setNear] = useState(true);
  useEffect(() => {
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (!entry) return;
        if (!entry.isIntersecting && entry.boundingClientRect.height > 0) height.current = entry.boundingClientRect.height;
        setNear(entry.isIntersecting);
      },
      { root: root.current, rootMargin: MARGIN },
    );
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  }, [root]);
  return (
    <div ref={box} style={isNear ? undefined : { height: height.current }}>
      {isNear ? children : null}
    </div>
  );
}

/** Says when the place where it stands comes near. */
export function Near({ root, onNear }: { root: RefObject<HTMLElement | null>; onNear: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const tell = useRef(onNear);
  tell.current = onNear;
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && tell.current(), { root: root.current, rootMargin: "600px 0px" });
    if (box.current) observer.observe(box.current);
    return () => observer.disconnect();
  });
  return <div ref={box} style={{ height: 1 }} />;
}
