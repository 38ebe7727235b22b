import { Button, Group, Table, Text } from "@mantine/core";
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, type ReactNode, type RefObject, useEffect, useRef, useState } from "react";
import { useLocation } from "wouter";
import { csvOf, download } from "./csv";
import { useKeys } from "./keys";
import "./table.css";

export interface Column<T> {
  key: string;
  title: string;
  cell: (row: T) => ReactNode;
  /** The cell as text for CSV; columns without it are left out of the file. */
  csv?: (row: T) => string | number | null | undefined;
  width?: number | string;
  align?: "left" | "right" | "center";
}

interface TableProps<T> {
  rows: readonly T[];
  columns: readonly Column<T>[];
  /** What the rows are, in plural: the label of the table and the name of its CSV file. */
  name: string;
  rowKey: (row: T) => string;
  /** Where a row leads (a route of this console). */
  href?: (row: T) => string | undefined;
  onRow?: (row: T) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (selected: Set<string>) => void;
  more?: () => void;
  hasMore?: boolean;
  /** Shown instead of rows when there are none. */
  empty?: ReactNode;
  height?: number | string;
  /** Leave j, k and Enter to the page. */
  keyless?: boolean;
  /** Every row is one line high, and columns without a width share what is left: even of a short list only rows in view are made. */
  oneLine?: boolean;
}

const ROW_PX = 41;
const VIRTUAL_FROM = 200;
const VIRTUAL_FROM_ONE_LINE = 40;
const NARROWEST = 860;

/** A table that stays fast with many rows, saves itself as CSV and is walked by j, k and Enter. */
export function DataTable<T>({ rows, columns, name, rowKey, href, onRow, selected, onSelect, more, hasMore, empty, height = "calc(100vh - 260px)", keyless, oneLine }: TableProps<T>) {
  const box = useRef<HTMLDivElement>(null);
  const [, go] = useLocation();
  const [at, setAt] = useState(-1);
  const acts = useRef<Acts<T>>({ open: () => undefined, toggle: () => undefined });
  const isVirtual = rows.length >= (oneLine ? VIRTUAL_FROM_ONE_LINE : VIRTUAL_FROM);
  const isEven = oneLine || isVirtual;
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => ROW_PX, overscan: 12, enabled: isVirtual });
  const shown = isVirtual ? virtual.getVirtualItems() : null;
  const last = shown?.at(-1)?.index ?? rows.length - 1;
  useEffect(() => {
    if (isVirtual && hasMore && last >= rows.length - 30) more?.();
  }, [isVirtual, hasMore, last, rows.length, more]);

  const open = (row: T) => {
    const to = href?.(row);
    if (onRow) onRow(row);
    else if (to) go(to);
  };
  const walk = (by: number) => {
    const next = Math.min(Math.max(at + by, 0), rows.length - 1);
    setAt(next);
    if (isVirtual) virtual.scrollToIndex(next);
    else box.current?.querySelectorAll("tbody tr")[next]?.scrollIntoView({ block: "nearest" });
  };
  const canOpen = Boolean(href || onRow);
  useKeys([
    { key: "j", label: `Next of the ${name}`, run: () => walk(1), when: !keyless && rows.length > 0 },
    { key: "k", label: `Previous of the ${name}`, run: () => walk(-1), when: !keyless && rows.length > 0 },
    { key: "Enter", label: "Open it", run: () => rows[at] && open(rows[at]), when: !keyless && canOpen && at >= 0 },
  ]);

  if (rows.length === 0) return <>{empty}</>;
  const toggle = (key: string) => {
    const next = new Set(selected);
    if (!next.delete(key)) next.add(key);
    onSelect?.(next);
  };
  // the rows hold on to this one object, so that they are made anew only for what they show
  acts.current = { open, toggle };
  const tr = (row: T, index: number) => {
    const key = rowKey(row);
    return <Row key={key} id={key} row={row} columns={columns} isCurrent={index === at} isSelected={selected?.has(key) ?? false} canSelect={Boolean(onSelect)} canOpen={canOpen} isEven={isEven} acts={acts} />;
  };
  const csv = columns.filter((column) => column.csv);
  const total = virtual.getTotalSize();
  return (
    <div>
      <div ref={box} className="remit-scroll" style={{ maxHeight: height }} tabIndex={0} role="region" aria-label={name}>
        <Table stickyHeader highlightOnHover={canOpen} aria-label={name} aria-rowcount={rows.length} layout={isEven ? "fixed" : "auto"} miw={oneLine ? NARROWEST : undefined}>
          <Table.Thead>
            <Table.Tr>
              {onSelect && (
                <Table.Th w={36}>
                  <input
                    type="checkbox"
                    className="remit-check"
                    aria-label="Select all that are shown"
                    checked={rows.length > 0 && rows.every((row) => selected?.has(rowKey(row)))}
                    ref={(box) => {
                      if (box) box.indeterminate = Boolean(selected?.size) && !rows.every((row) => selected?.has(rowKey(row)));
                    }}
                    onChange={(event) => onSelect(event.currentTarget.checked ? new Set(rows.map(rowKey)) : new Set())}
                  />
                </Table.Th>
              )}
              {columns.map((column) => (
                <Table.Th key={column.key} w={column.width} ta={column.align}>
                  {column.title}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {shown ? (
              <>
                <Space px={shown[0]?.start ?? 0} />
                {shown.map((item) => tr(rows[item.index]!, item.index))}
                <Space px={total - (shown.at(-1)?.end ?? total)} />
              </>
            ) : (
              rows.map(tr)
            )}
          </Table.Tbody>
        </Table>
      </div>
      <Group justify="space-between" mt="xs" mih={30}>
        <Text size="xs" c="dimmed">
          {rows.length.toLocaleString()}
          {hasMore ? "+" : ""} {rows.length === 1 && !hasMore ? name.replace(/(?:(\w)ie)?s\b/, (_end, before?: string) => (before ? `${before}y` : "")) : name}
        </Text>
        <Group gap="xs">
          {hasMore && (
            <Button size="compact-xs" variant="default" onClick={more}>
              Load more
            </Button>
          )}
          {csv.length > 0 && (
            <Button size="compact-xs" variant="default" onClick={() => download(`${name}.csv`, csvOf(csv.map((c) => c.title), rows.map((row) => csv.map((c) => c.csv!(row)))), "text/csv")}>
              CSV
            </Button>
          )}
        </Group>
      </Group>
    </div>
  );
}

interface Acts<T> {
  open: (row: T) => void;
  toggle: (key: string) => void;
}

interface RowProps<T> {
  id: string;
  row: T;
  columns: readonly Column<T>[];
  isCurrent: boolean;
  isSelected: boolean;
  canSelect: boolean;
  canOpen: boolean;
  isEven: boolean;
  acts: RefObject<Acts<T>>;
}

const { tr: TR, td: TD } = Table.classes;

/**
 * One row. While its columns are the same array it is made anew only when it changes, however often the table is.
 * Plain elements with Mantine's classes: a component for each cell makes scrolling through thousands of rows slow.
 */
const Row = memo(function Row<T>({ id, row, columns, isCurrent, isSelected, canSelect, canOpen, isEven, acts }: RowProps<T>) {
  return (
    <tr data-with-row-border data-hover={canOpen || undefined} data-current={isCurrent || undefined} className={canOpen ? `${TR} remit-row` : TR} style={isEven ? { height: ROW_PX } : undefined} onClick={canOpen ? (event) => !isControl(event.target) && acts.current.open(row) : undefined}>
      {canSelect && (
        <td className={TD}>
          <input type="checkbox" className="remit-check" aria-label={`Select ${id}`} checked={isSelected} onChange={() => acts.current.toggle(id)} />
        </td>
      )}
      {columns.map((column) => (
        <td key={column.key} style={column.align && { textAlign: column.align }} className={`${TD} remit-cell`}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}) as <T>(props: RowProps<T>) => ReactNode;

function Space({ px }: { px: number }) {
  return px > 0 ? (
    <tr aria-hidden style={{ height: px }}>
      <td />
    </tr>
  ) : null;
}

function isControl(target: EventTarget): boolean {
  return target instanceof Element && target.closest("a, button, input, label") !== null;
}
