//! Paints lines on the terminal in place, and leaves it as it was found.

use std::io::{self, Write as _};

use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{cursor, queue};

use crate::error::{CliResult, Exit, OrExit as _};
use crate::watch::frame::{Line, Style};

/// Size taken when the terminal does not tell.
const SIZE_UNKNOWN: (u16, u16) = (80, 24);

/// The second page of the terminal, so that a change of size leaves no rests behind.
#[derive(Debug)]
pub(super) struct Screen {
    colours: bool,
    open: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn open() -> CliResult<Self> {
        let mut out = io::stdout();
        queue!(out, EnterAlternateScreen, cursor::Hide)
            .and_then(|()| out.flush())
            .or_exit(Exit::Failed, "cannot draw on the terminal")?;
        // https://no-color.org: any value but the empty one.
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Ok(Self { colours, open: true })
    }

    /// Paints the lines, cut to the terminal's size of now.
    pub(super) fn draw(&self, lines: &[Line]) -> CliResult<()> {
        let (width, height) = terminal::size().unwrap_or(SIZE_UNKNOWN);
        let mut out = io::stdout().lock();
        self.paint(&mut out, lines, usize::from(width), usize::from(height))
            .and_then(|()| out.flush())
            .or_exit(Exit::Failed, "cannot draw on the terminal")
    }

    fn paint(
        &self,
        out: &mut impl io::Write,
        lines: &[Line],
        width: usize,
        height: usize,
    ) -> io::Result<()> {
        queue!(out, cursor::MoveTo(0, 0))?;
        for (index, line) in lines.iter().take(height).enumerate() {
            if index > 0 {
                queue!(out, Print("\r\n"))?;
            }
            let mut left = width;
            for (style, text) in &line.0 {
                let cut: String = text.chars().take(left).collect();
                left -= cut.chars().count();
                self.piece(out, *style, &cut)?;
            }
            if left > 0 {
                queue!(out, Clear(ClearType::UntilNewLine))?;
            }
        }
        if lines.len() < height {
            queue!(out, Clear(ClearType::FromCursorDown))?;
        }
        Ok(())
    }

    fn piece(&self, out: &mut impl io::Write, style: Style, text: &str) -> io::Result<()> {
        if !self.colours {
            return queue!(out, Print(text));
        }
        match style {
            Style::Plain => return queue!(out, Print(text)),
            Style::Strong => queue!(out, SetAttribute(Attribute::Bold))?,
            Style::Faint => queue!(out, SetAttribute(Attribute::Dim))?,
            Style::Good => queue!(out, SetForegroundColor(Color::Green))?,
            Style::Bad => queue!(out, SetForegroundColor(Color::Red))?,
            Style::Open => queue!(out, SetForegroundColor(Color::Yellow))?,
        }
        queue!(out, Print(text), SetAttribute(Attribute::Reset), ResetColor)
    }

    /// Gives the terminal back.
    pub(super) fn close(&mut self) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let mut out = io::stdout();
        // Nothing is left to do when the terminal is gone.
        let _ = queue!(out, cursor::Show, LeaveAlternateScreen).and_then(|()| out.flush());
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_terminal() {
        let lines = vec![
            Line(vec![(Style::Plain, "abcdef".into()), (Style::Bad, "gh".into())]),
            Line(vec![(Style::Plain, "x".into())]),
            Line(vec![(Style::Plain, "never".into())]),
        ];
        let screen = Screen { colours: false, open: false };
        let mut painted = Vec::new();
        screen.paint(&mut painted, &lines, 7, 2).expect("memory takes everything");
        let painted = String::from_utf8(painted).expect("it was text");
        assert!(painted.contains("abcdefg"), "{painted:?}");
        assert!(!painted.contains('h') && !painted.contains("never"), "{painted:?}");
    }
}
