import Base
import Wire
extension HTTPConnection {
    func takeOver(_ request: HTTPRequest, _ response: HTTPResponse, _ acceptance: WebSocketAcceptance) {
    }
}
