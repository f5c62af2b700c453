// recording: who may have calls recorded, and who is asked.

import Base

extension Configuration {
    package struct Recording: Sendable {
        package enum Allowed: String, Sendable, CaseIterable { case nobody, admins, hosts }
        package enum Consent: String, Sendable, CaseIterable { case ask, announce, `operator` }

        package var allowed = Allowed.hosts
        package var consent = Consent.ask
        package var maxDuration = Duration.hours(8)
        package var answerTime = Duration.minutes(5)
    }

    static let recordingSection = Section(
        "recording", "Recording of calls. Everybody in a call sees that it is recorded, whatever is set here.",
        [
            Key(
                "recording.allowed", \.recording.allowed, .choice,
                "Who may have calls recorded: nobody, administrators of calls, or the hosts of calls as well."),
            Key(
                "recording.consent", \.recording.consent, .choice,
                "Whose media is written: of who has agreed (ask), of who was told and stays (announce), or of "
                    + "everybody (operator), where you have their consent by other means."),
            Key(
                "recording.max_duration", \.recording.maxDuration, .duration(.minutes(1) ... .hours(48)),
                "How long one recording goes on at most."),
            Key(
                "recording.answer_time", \.recording.answerTime, .duration(.seconds(10) ... .hours(1)),
                "How long a recording waits while nobody is in the call whose media may be written."),
        ])
}
