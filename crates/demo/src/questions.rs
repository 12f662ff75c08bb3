//! What the demo's users ask, and the fact that makes an answer a good one for them.

/// A question with the fact that its asker waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// As the user puts it.
    pub(crate) text: &'static str,
    /// What the answer must contain.
    pub(crate) fact: &'static str,
}

const fn ask(text: &'static str, fact: &'static str) -> Question {
    Question { text, fact }
}

/// All of them.
pub(crate) const QUESTIONS: [Question; 24] = [
    ask("When is the hire office open in winter?", "from 10:00 to 15:00"),
    ask("At what time do I collect the boat on the first day?", "from 14:00"),
    ask("What does a late return cost?", "40 pounds"),
    ask("How much deposit is taken by card?", "150 pounds"),
    ask("How old must a hirer be?", "21 years"),
    ask("Do I need a licence to steer a hire boat?", "No licence is needed"),
    ask("What is refunded when a booking is cancelled 42 days before?", "in full"),
    ask("Is one change of date free?", "21 days before"),
    ask("Do I get a refund because of wind?", "45 kilometres per hour"),
    ask("When may a lock gate be opened?", "until the water is level"),
    ask("How long does an average lock take to pass?", "15 minutes"),
    ask("What do I do when the boat hangs on the cill?", "close the bottom paddles"),
    ask("Until when is the Five Rise staircase open for passage?", "between 8:00 and 16:00"),
    ask("How many nights is mooring along the towpath free?", "14 nights"),
    ask("What does a night in Linden Marina cost?", "18 pounds"),
    ask("What is diesel charged at per litre?", "1.35 pounds"),
    ask("How much does the drinking water tank hold?", "500 litres"),
    ask("What does a pump-out of the toilet cost?", "22 pounds"),
    ask("How many dogs are welcome on each boat?", "two dogs"),
    ask("Who do I call in an emergency?", "112"),
    ask("What do I do when the gas alarm sounds?", "close the red valve"),
    ask("Which distance do I keep in a tunnel?", "150 metres"),
    ask("What is the speed limit on the canal?", "6 kilometres per hour"),
    ask("When do winter works close the summit?", "between 6 January and 14 March"),
];
