import { createTheme, type ModalProps, type NotificationProps, Tooltip } from "@mantine/core";

/** Mantine's defaults, in teal, a little denser, and dark enough for text on coloured ground (WCAG AA). */
export const theme = createTheme({
  primaryColor: "teal",
  primaryShade: { light: 8, dark: 7 },
  autoContrast: true,
  defaultRadius: "sm",
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", sans-serif',
  fontFamilyMonospace: 'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  components: {
    Tooltip: Tooltip.extend({ defaultProps: { withArrow: true, multiline: true, maw: 420, openDelay: 200, events: { hover: true, focus: true, touch: false } } }),
    // by name alone: naming the components would bring them into the start
    Modal: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } satisfies Partial<ModalProps> },
    Notification: { defaultProps: { closeButtonProps: { "aria-label": "Close" } } satisfies Partial<NotificationProps> },
  },
});
