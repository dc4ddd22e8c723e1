// Package report renders results of packages measure and soak: as text with tables
// for a terminal, and as one HTML page.
//
// # Guaranteed
//
//   - A page is self-contained: no scripts, nothing fetched, every chart with its
//     numbers in a table below, light and dark.
//   - Whatever came over the wire is escaped.
//   - A result whose audit failed shows what was found, and no figures.
//
// # Not guaranteed
//
// Text is for people and changes freely; scripts read the results' JSON.
package report
