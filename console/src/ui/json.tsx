import { Box, Button, CopyButton, Group, ScrollArea, Text, UnstyledButton } from "@mantine/core";
import { useState } from "react";
import "./json.css";

const FIRST = 100;

/** A value as a tree that folds. Everything is text: nothing in it can act. */
export function Json({ value, open = 2, label = "value" }: { value: unknown; open?: number; label?: string }) {
  return (
    <Box className="remit-json" pos="relative" role="group" aria-label={label}>
      <CopyButton value={typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? ""}>
        {({ copied, copy }) => (
          <Button size="compact-xs" variant="subtle" pos="absolute" top={2} right={2} style={{ zIndex: 1 }} onClick={copy}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
      <Node value={value} depth={0} open={open} />
    </Box>
  );
}

function Node({ name, value, depth, open }: { name?: string; value: unknown; depth: number; open: number }) {
  const [isOpen, setOpen] = useState(depth < open);
  const [count, setCount] = useState(FIRST);
  const key = name === undefined ? null : <span className="remit-json-key">{name}: </span>;
  if (value === null || typeof value !== "object") {
    return (
      <div className="remit-json-line">
        {key}
        <Leaf value={value} />
      </div>
    );
  }
  const entries = Object.entries(value);
  const isList = Array.isArray(value);
  const size = isList ? `[${entries.length}]` : `{${entries.length}}`;
  if (entries.length === 0) {
    return (
      <div className="remit-json-line">
        {key}
        <span className="remit-json-size">{isList ? "[]" : "{}"}</span>
      </div>
    );
  }
  return (
    <div>
      <UnstyledButton className="remit-json-line" onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>
        <span aria-hidden>{isOpen ? "▾ " : "▸ "}</span>
        {key}
        <span className="remit-json-size">{size}</span>
      </UnstyledButton>
      {isOpen && (
        <div className="remit-json-inner">
          {entries.slice(0, count).map(([inner, item]) => (
            <Node key={inner} name={inner} value={item} depth={depth + 1} open={open} />
          ))}
          {entries.length > count && (
            <Button size="compact-xs" variant="subtle" onClick={() => setCount(count * 4)}>
              {(entries.length - count).toLocaleString()} more
            </Button>
          )}
        </div>
      )}
    </div>
  );
}

const LONG = 600;

function Leaf({ value }: { value: unknown }) {
  const [isWhole, setWhole] = useState(false);
  if (typeof value !== "string") return <span className="remit-json-atom">{String(value)}</span>;
  const isLong = value.length > LONG;
  return (
    <span className="remit-json-text">
      {isLong && !isWhole ? `${value.slice(0, LONG)}…` : value}
      {isLong && (
        <Button size="compact-xs" variant="subtle" onClick={() => setWhole(!isWhole)}>
          {isWhole ? "less" : `all ${value.length.toLocaleString()} characters`}
        </Button>
      )}
    </span>
  );
}

/** Text as it is, in a fixed-width box with a button that copies it. */
export function Code({ text, label = "text", maxHeight = 480 }: { text: string; label?: string; maxHeight?: number }) {
  return (
    <Box pos="relative" className="remit-code">
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-xs" variant="subtle" pos="absolute" top={4} right={10} style={{ zIndex: 1 }} onClick={copy}>
            {copied ? "Copied" : "Copy"}
          </Button>
        )}
      </CopyButton>
      <ScrollArea.Autosize mah={maxHeight} viewportProps={{ tabIndex: 0, role: "region", "aria-label": label } as object}>
        <pre>{text}</pre>
      </ScrollArea.Autosize>
    </Box>
  );
}

/** A name and its value in a column of facts. */
export function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Group gap="sm" wrap="nowrap" align="baseline">
      <Text size="sm" c="dimmed" w={130} style={{ flexShrink: 0 }}>
        {name}
      </Text>
      <Text size="sm" component="div" style={{ overflowWrap: "anywhere", minWidth: 0 }}>
        {children}
      </Text>
    </Group>
  );
}
